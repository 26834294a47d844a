"""`python -m campaigns.cli` is `postroom`."""

from campaigns.cli import main

if __name__ == "__main__":  # a process that reads for an import loads this file too
    main()
