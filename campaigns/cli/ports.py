"""Before an installation starts: nobody else may listen where it will.

The pages' servers share a port with whoever listens there in the same way, so two installations would take
turns at one address, each answering half of the requests.
"""

from errno import EADDRINUSE
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET, socket
from time import monotonic, sleep

from campaigns.config import Settings
from campaigns.errors import BadSettings
from campaigns.values import Problem

PATIENCE = 3.0  #: seconds in which those of an installation that has just ended may still go


def require_free(settings: Settings) -> None:
    """Make sure that the pages' ports are nobody's.

    Raises:
        BadSettings: naming each port that is taken.
    """
    wanted = {"POSTROOM_WEB_PORT": settings.web_port, "POSTROOM_HITS_PORT": settings.hits_port}
    until = monotonic() + PATIENCE
    taken = [
        Problem(
            name,
            f"is {port}, where something listens already: another installation, or the demo.",
            f"End that, or choose another: {name}={port + 100}",
        )
        for name, port in wanted.items()
        if stays_taken(settings.host, port, until)
    ]
    if taken:
        raise BadSettings(taken)


def stays_taken(host: str, port: int, until: float | None = None) -> bool:
    """Whether somebody listens at a port of this machine, and goes on to."""
    until = monotonic() + PATIENCE if until is None else until
    while is_taken(host, port):
        if monotonic() > until:
            return True
        sleep(0.1)
    return False


def is_taken(host: str, port: int) -> bool:
    """Whether somebody listens at a port of this machine."""
    with socket(AF_INET6 if ":" in host else AF_INET) as probe:
        probe.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)  # one that was just let go is free
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno == EADDRINUSE  # whatever else is wrong, the servers say better
    return False
