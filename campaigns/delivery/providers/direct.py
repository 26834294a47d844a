"""SMTP to the recipients' own mail servers, without a relay between."""

import re

from campaigns.delivery.contract import Backend
from campaigns.delivery.direct.backend import DirectBackend, Share
from campaigns.delivery.direct.exchangers import Manners, Tls
from campaigns.delivery.providers.provider import Option, Options, Provider, Ways, a_count, yes_or_no
from campaigns.delivery.providers.smtp import a_number
from campaigns.delivery.smtp.target import Limits
from campaigns.values import Account

NAME = re.compile(
    r"(?=.{4,253}\Z)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]"
)
MOST_SERVERS = 200


def _open(account: Account, options: Options, ways: Ways) -> Backend:
    manners = Manners(int(options["port"]), options["hello"], Tls(options["tls"]), options["inner"] == "yes")
    limits = Limits(int(options["connections"]), int(options["per_connection"] or ways.per_connection))
    backend = DirectBackend(manners, Share(int(options["servers"]), limits))
    backend.name = account.name
    return backend


def _a_host_name(value: str) -> str:
    return "" if NAME.fullmatch(value) else "is no full name of a host, such as mail.example.com."


def _a_port(value: str) -> str:
    fits = value.isascii() and value.isdigit() and 1 <= int(value) <= 65535
    return "" if fits else "is no number from 1 to 65535."


def _a_way_of_tls(value: str) -> str:
    return "" if value in {Tls.OFFERED, Tls.REQUIRED} else "is neither offered nor required."


def _servers(value: str) -> str:
    fits = value.isascii() and value.isdigit() and 1 <= int(value) <= MOST_SERVERS
    return "" if fits else f"is no number from 1 to {MOST_SERVERS}."


PROVIDER = Provider(
    name="direct",
    title="SMTP (to the recipients' own servers)",
    capabilities=DirectBackend.capabilities,
    options=(
        Option("hello", "the full name of this machine, as its address is called (PTR)", check=_a_host_name),
        Option(
            "tls",
            "offered (encrypted where the server can) or required (or not at all)",
            default=Tls.OFFERED,
            check=_a_way_of_tls,
        ),
        Option("port", "the port of all servers", default="25", check=_a_port),
        Option("servers", "sets of servers at once, 1 to 200", default="20", check=_servers),
        Option("connections", "connections to each of them, 1 to 64", default="2", check=a_count),
        Option("per_connection", "mails on one connection", check=a_number),
        Option("inner", "yes: servers in private networks may be asked, too", default="no", check=yes_or_no),
    ),
    opener=_open,
)
