"""What a load balancer or supervisor asks: does the process live, and can the installation do its work."""

from threading import Lock
from time import monotonic

from flask import Blueprint, current_app
from flask.sansio.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from campaigns.doctor.findings import Finding
from campaigns.doctor.ready import broker, is_ready, readiness
from web.auth import open_to_all

FRESH = 1.0  #: seconds an answer holds: however often one asks, the database is asked once a second
BROKER_FRESH = 10.0  #: seconds the broker's answer holds: each is a login in its log

alive = Blueprint("alive", __name__)
health = Blueprint("health", __name__)


class Last:
    """The last look, for whoever asks again at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._at, self._asked_broker = -FRESH, -BROKER_FRESH
        self._findings: list[Finding] = []
        self._broker: list[Finding] = []

    def look(self) -> list[Finding]:
        """Look, or give what was just seen."""
        with self._lock:
            if monotonic() - self._at >= FRESH:
                settings = current_app.extensions["settings"]
                self._findings = readiness(current_app.extensions["stores"], settings.data)
                if monotonic() - self._asked_broker >= BROKER_FRESH:
                    self._broker = broker(settings.broker_url)
                    self._asked_broker = monotonic()
                self._at = monotonic()
            return [*self._findings, *self._broker]


@health.record_once
def _remember(state: BlueprintSetupState) -> None:
    state.app.extensions["last look"] = Last()


@alive.get("/healthz")
@open_to_all
def healthz() -> ResponseReturnValue:
    """Say that this process answers; asks nothing of anybody."""
    return "alive\n", 200, {"Content-Type": "text/plain"}


@health.get("/readyz")
@open_to_all
def readyz() -> ResponseReturnValue:
    """Say whether the installation can do its work, and if not, what stands in the way."""
    findings = current_app.extensions["last look"].look()
    ready = is_ready(findings)
    checks = {finding.check: finding.level.value for finding in findings}
    return {"ready": ready, "checks": checks}, 200 if ready else 503
