"""The Celery application: a quorum queue for each account and lane, and nothing that waits or guesses.

Celery carries numbers of chunks. Leases, retries, rates and results are the database's: its own are off.
"""

import ssl
from collections.abc import Iterable, Sequence
from typing import Any

from celery import Celery
from kombu.entity import Exchange, Queue

from campaigns.delivery.lanes import ALL_LANES
from campaigns.values import MAIN

TASK = "postroom.send_chunk"
EXCHANGE = Exchange("postroom.send", type="direct", durable=True)  # type: ignore[no-untyped-call]
#: Seconds after which a broker that does not answer counts as away.
CONNECTING, ANSWERING = 3.0, 5.0

#: Of amqps: the certificate must be for the host of the URL, which the library does not ask for by itself.
VERIFIED = {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None}

CONFIGURATION: dict[str, Any] = {
    # a message stays in the broker until its chunk is done, and goes to another worker if this one dies
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    # a cut connection does not end a chunk under way: the fence says whose it is
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "task_ignore_result": True,
    "task_create_missing_queues": False,
    "task_serializer": "json",
    "accept_content": ["json"],
    "broker_transport_options": {
        "confirm_publish": True,
        "read_timeout": 60,
        "write_timeout": ANSWERING,
        "max_retries": 1,  # of a publisher's connection; the next tick tries again anyway
        "interval_start": 0,
    },
    "broker_connection_timeout": CONNECTING,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_heartbeat": 20,
    "worker_consumer": "campaigns.cluster.worker:Consumer",
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_proc_alive_timeout": 30.0,
    "worker_soft_shutdown_timeout": 30.0,
}


def queue_name(lane: str, account: str = MAIN) -> str:
    """The queue of an account's lane; a lane that this release does not know shares that of the others."""
    known = lane if lane in ALL_LANES else "other"
    own = "" if account == MAIN else f"{account}."
    return f"send.{own}{known.replace(' ', '-')}"


def queues(accounts: Iterable[str]) -> list[Queue]:
    """Every lane's queue of some accounts."""
    names = [queue_name(lane, account) for account in accounts for lane in ALL_LANES]
    kind = {"x-queue-type": "quorum"}
    return [
        Queue(name, EXCHANGE, routing_key=name, durable=True, queue_arguments=kind)  # type: ignore[no-untyped-call]
        for name in names
    ]


def make_application(broker_url: str, accounts: Sequence[str] = (MAIN,)) -> Celery:
    """Make the application for a broker and some accounts; nothing is connected before it is used."""
    application = Celery("postroom", broker=broker_url, set_as_current=False)
    application.conf.update(CONFIGURATION)
    if broker_url.startswith("amqps:"):
        application.conf.broker_use_ssl = dict(VERIFIED)
    application.conf.task_queues = queues(accounts)
    application.conf.task_default_queue = queue_name("other", accounts[0])
    return application
