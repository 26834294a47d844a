"""A Celery worker that sends: its processes, its queues, and its end."""

from collections.abc import Sequence
from socket import gethostname
from typing import Any, ClassVar

from celery import signals
from celery.worker import consumer

from campaigns.cluster.application import TASK, make_application, queue_name
from campaigns.cluster.sender import Ending, Sender
from campaigns.config import Settings
from campaigns.values import Account


class Consumer(consumer.Consumer):  # type: ignore[misc]
    """Celery's, without the 28 queues that it keeps for tasks to be delayed: nothing is delayed here."""

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc]
        """The steps in which it starts."""

        default_steps: ClassVar[list[str]] = [
            step for step in consumer.Consumer.Blueprint.default_steps if "delayed_delivery" not in step
        ]


def serve(
    settings: Settings,
    *,
    account: Account,
    processes: int,
    lanes: Sequence[str],
    level: str = "WARNING",
) -> int:
    """Take chunks of an account and some lanes from the broker until asked to end; gives the exit code.

    One account: the processes of one that hangs must not be those that another waits for.

    SIGTERM: nothing more is begun, what is on the wire is waited for (at most ten seconds), all is settled.
    """
    ending = Ending()
    names = [queue_name(lane, account.name) for lane in lanes]
    sender = Sender(settings, ending, account, lambda lane: queue_name(lane, account.name) in names)
    application = make_application(settings.broker_url, [account.name])
    application.task(name=TASK)(sender.send)

    # Celery keeps weak references to receivers: these names hold them
    def shut_down(**_: Any) -> None:
        ending.ask()

    def open_process(**_: Any) -> None:
        sender.open()

    def close_process(**_: Any) -> None:
        sender.close()

    def set_up_no_logging(**_: Any) -> None:
        """Ours is set up already; a receiver keeps Celery from its own."""

    signals.worker_shutting_down.connect(shut_down)
    signals.worker_process_init.connect(open_process)
    signals.worker_process_shutdown.connect(close_process)
    signals.setup_logging.connect(set_up_no_logging)
    worker = application.Worker(
        hostname=f"postroom-{account.name}@{gethostname()}",
        concurrency=processes,
        queues=names,
        loglevel=level,
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)
