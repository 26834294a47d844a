"""Which mailbox provider stands behind a domain: what limits, answers and figures go by.

Known here are the domains that providers give their own mailboxes, and the mail servers by which a company's
domain, hosted by one of them, is told once its MX record was asked (mx.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from campaigns.values import Account

OTHER = "other"  #: the lane of every domain that is not named here

_WORDS = {
    "google": "gmail.com googlemail.com google.com",
    "microsoft": """
        outlook.com outlook.de outlook.fr outlook.es outlook.it outlook.at outlook.be outlook.dk outlook.ie
        outlook.pt outlook.cz outlook.hu outlook.sa outlook.jp outlook.kr outlook.in outlook.com.ar
        outlook.com.au outlook.com.br outlook.co.id outlook.co.th
        hotmail.com hotmail.de hotmail.fr hotmail.es hotmail.it hotmail.be hotmail.ch hotmail.nl hotmail.se
        hotmail.no hotmail.dk hotmail.fi hotmail.gr hotmail.ca hotmail.cl hotmail.co.uk hotmail.co.jp
        hotmail.co.th hotmail.com.ar hotmail.com.br hotmail.com.tr
        live.com live.de live.fr live.it live.be live.nl live.at live.ca live.se live.no live.dk live.cn
        live.co.uk live.com.ar live.com.au live.com.mx live.com.pt live.co.za
        msn.com passport.com windowslive.com
    """,
    "yahoo": """
        yahoo.com yahoo.de yahoo.fr yahoo.es yahoo.it yahoo.ca yahoo.se yahoo.no yahoo.dk yahoo.fi yahoo.gr
        yahoo.ie yahoo.pl yahoo.ro yahoo.in yahoo.co.uk yahoo.co.id yahoo.co.in yahoo.co.nz yahoo.co.th
        yahoo.co.za yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.hk yahoo.com.mx yahoo.com.ph
        yahoo.com.sg yahoo.com.tr yahoo.com.tw yahoo.com.vn
        ymail.com rocketmail.com myyahoo.com aol.com aol.de aol.fr aol.it aol.co.uk aim.com netscape.net
        verizon.net
    """,
    "yahoo japan": "yahoo.co.jp ymail.ne.jp",
    "apple": "icloud.com me.com mac.com privaterelay.appleid.com",
    "gmx": "gmx.de gmx.net gmx.at gmx.ch gmx.com gmx.eu gmx.org gmx.info gmx.fr gmx.us gmx.co.uk web.de",
    "telekom": "t-online.de magenta.de",
    "comcast": "comcast.net",
    "orange": "orange.fr wanadoo.fr",
    "free": "free.fr",
    "la poste": "laposte.net",
    "sfr": "sfr.fr neuf.fr cegetel.net",
    "libero": "libero.it virgilio.it iol.it inwind.it",
    "kpn": "kpnmail.nl planet.nl hetnet.nl",
    "proton": "proton.me protonmail.com protonmail.ch pm.me",
    "mail.ru": "mail.ru bk.ru inbox.ru list.ru internet.ru",
    "yandex": "yandex.ru yandex.com yandex.by yandex.kz ya.ru",
    "seznam": "seznam.cz email.cz",
    "wp": "wp.pl o2.pl",
    "onet": "onet.pl op.pl vp.pl poczta.onet.pl",
    "qq": "qq.com foxmail.com",
    "netease": "163.com 126.com yeah.net",
    "naver": "naver.com",
    "netvigator": "netvigator.com",
}
#: What the names of a lane's mail servers end with; of several that fit the longest holds.
_SERVERS = {
    "google": "google.com googlemail.com smtp.goog",
    "microsoft": "olc.protection.outlook.com",
    "microsoft 365": """
        mail.protection.outlook.com mail.eo.outlook.com mx.microsoft mail.protection.office365.us
        mail.protection.partner.outlook.cn
    """,
    "yahoo": "yahoodns.net",
    "yahoo japan": "yahoo.co.jp ymail.ne.jp",
    "apple": "icloud.com apple.com",
    "gmx": "gmx.net web.de mail.com",
    "ionos": "kundenserver.de ionos.com ionos.de ionos.co.uk ionos.fr ionos.es ionos.it 1and1.com",
    "telekom": "t-online.de",
    "strato": "rzone.de",
    "mimecast": "mimecast.com mimecast.org mimecast.co.za mimecast-offshore.com",
    "proofpoint": "pphosted.com ppe-hosted.com",
    "barracuda": "barracudanetworks.com barracuda.com",
    "cisco": "iphmx.com",
    "symantec": "messagelabs.com",
    "trend micro": "trendmicro.com trendmicro.eu",
    "sophos": "sophos.com",
    "hornetsecurity": "hornetsecurity.com antispameurope.com",
    "retarus": "retarus.com retarus.de",
    "amazon": "amazonaws.com awsapps.com",
    "rackspace": "emailsrvr.com",
    "godaddy": "secureserver.net",
    "zoho": "zoho.com zoho.eu zoho.in",
    "fastmail": "messagingengine.com",
    "proton": "protonmail.ch",
    "ovh": "ovh.net ovh.ca",
    "comcast": "comcast.net",
    "orange": "orange.fr",
    "free": "free.fr",
    "la poste": "laposte.net",
    "sfr": "sfr.fr",
    "libero": "libero.it iol.it",
    "kpn": "kpnmail.nl",
    "mail.ru": "mail.ru",
    "yandex": "yandex.ru yandex.net",
    "seznam": "seznam.cz",
    "wp": "wp.pl",
    "onet": "onet.pl",
    "qq": "qq.com",
    "netease": "163.com 126.com netease.com",
    "naver": "naver.com",
    "netvigator": "netvigator.com",
}


@dataclass(frozen=True, slots=True)
class Start:
    """What a lane bears of one who delivers to it with a server of their own, until its servers say more."""

    connections: int  #: mails under way at once, of all senders together
    per_minute: float


FASTEST = 6000.0  #: mails a minute, to any one provider
PER_CONNECTION = 600.0  #: mails a minute that a connection is worth


def _start(connections: int, per_minute: float | None = None) -> Start:
    return Start(connections, per_minute or min(FASTEST, connections * PER_CONNECTION))


#: The caps that a lane starts with, where nobody set any; those that are not here have none, nor has `other`.
#: Source: KumoMTA's shaping tables (policy-extras/shaping.toml, community/shaping.toml, 2026-08): connections
#: as they stand there; of their 100 mails a second and site, ten a connection.
STARTS = {
    "google": _start(5),
    "microsoft": _start(5),
    "microsoft 365": _start(5),
    "yahoo": _start(10),
    "apple": _start(10),
    "comcast": _start(25),
    "gmx": _start(4),
    "orange": _start(2),
    "mimecast": _start(10),
    "barracuda": _start(10),
    "kpn": _start(10),
    "qq": _start(4),
    "netease": _start(4),
    "yahoo japan": _start(2, 600),
    "netvigator": _start(5),
}
USUAL = FASTEST  #: mails a minute, of every lane that has no start
#: The kinds of account whose limits are ours to keep; a provider's API keeps its own.
OWN_SERVERS = frozenset({"smtp", "direct"})
RELAYED_BY = "webhooks"  #: what such an account says whose server is a provider's
#: Every known domain with its lane.
LANES = {domain: lane for lane, domains in _WORDS.items() for domain in domains.split()}
#: Every known ending of a mail server's name with its lane.
SERVERS = {ending: lane for lane, endings in _SERVERS.items() for ending in endings.split()}
ALL_LANES = tuple(sorted({*LANES.values(), *SERVERS.values(), OTHER}))


def lane_of(domain: str) -> str:
    """Name the provider of a normalised domain, or `other`."""
    return LANES.get(domain, OTHER)


def lane_of_servers(hosts: Iterable[str]) -> str:
    """Name the provider to whom a domain's mail servers belong, the best first, or `other`."""
    return next((lane for host in hosts if (lane := _lane_of_server(host)) != OTHER), OTHER)


def _lane_of_server(host: str) -> str:
    labels = host.lower().rstrip(".").split(".")
    endings = (".".join(labels[at:]) for at in range(len(labels)))
    return next((SERVERS[ending] for ending in endings if ending in SERVERS), OTHER)


def usual_rate(lane: str) -> float:
    """Mails a minute that a lane commonly bears: what a first back-off starts from where no cap is set."""
    return STARTS[lane].per_minute if lane in STARTS else USUAL


def starts_with_caps(account: Account) -> bool:
    """Whether an account's lanes start with caps: its mail reaches providers from a server of ours."""
    return account.kind in OWN_SERVERS and not account.options.get(RELAYED_BY)
