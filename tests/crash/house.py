"""Two schedulers and two senders, kept alive by one process: `python -m tests.crash.house`."""

from campaigns.cli.running import Stopping, supervise

if __name__ == "__main__":
    supervise([["worker"], ["worker"], ["sender"], ["sender"]], Stopping())
