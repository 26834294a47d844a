"""The executor that publishes to RabbitMQ; an absent broker costs an exception, never a hang."""

from collections.abc import Sequence

from celery import Celery
from celery.exceptions import CeleryError
from kombu.exceptions import KombuError, OperationalError

from campaigns.cluster.application import ANSWERING, TASK, make_application, queue_name
from campaigns.errors import ExecutorAway
from campaigns.records.outbox.publishing import PUBLISHED
from campaigns.values import MAIN


class Publisher:
    """campaigns.executor.Executor by a broker: a message is two numbers, and is confirmed."""

    def __init__(self, broker_url: str, accounts: Sequence[str] = (MAIN,)) -> None:
        self._application: Celery = make_application(broker_url, accounts)

    def submit(self, run: int, number: int, lane: str, account: str = MAIN) -> None:
        """Publish a chunk's number to its queue; it expires there when it would be published again."""
        try:
            self._application.send_task(
                TASK,
                (run, number),
                queue=queue_name(lane, account),
                expiration=PUBLISHED.total_seconds(),
                retry=False,
                confirm_timeout=ANSWERING,
            )
        except (OSError, OperationalError, KombuError, CeleryError) as error:
            raise ExecutorAway(f"the broker: {error or type(error).__name__}") from error

    def close(self) -> None:
        """Let the connection go."""
        self._application.close()
