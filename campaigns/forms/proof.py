"""How a double opt-in is told in the ledger: when, from where, by which form and mail."""

from datetime import datetime


def asked(form: str, version: int, sign_up: int, at: datetime, network: str, page: str, agent: str) -> str:
    """Tell the first step."""
    return f"form {form}, version {version}, sign-up {sign_up}; asked {_step(at, network, page, agent)}"


def confirmed(first: str, mail: str, at: datetime, network: str, agent: str) -> str:
    """Tell both steps."""
    return f"{first}; confirmed by mail {mail} {_step(at, network, '', agent)}"


def _step(at: datetime, network: str, page: str, agent: str) -> str:
    where = f", page {page}" if page else ""
    by = f", agent {agent}" if agent else ""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC from {network}{where}{by}"
