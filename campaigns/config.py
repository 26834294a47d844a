"""Settings, read once from the environment; all problems are told at once."""

import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from campaigns.errors import BadSettings
from campaigns.values import Problem, Tracking

DEFAULT_DATA = Path("var")
SECRET_BYTES = 32
#: What helps whoever looks where no installation is.
ELSEWHERE = "Name your installation's folder: POSTROOM_DATA=FOLDER. Or begin a new one here: postroom migrate"
CATCHER_URL = "smtp://127.0.0.1:2525"  #: where mail goes while no mail server is named


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """Where returned mail is fetched from."""

    imap_url: str = field(default="", repr=False)  #: empty: nowhere
    pop3_url: str = field(default="", repr=False)  #: empty: nowhere
    cafile: Path | None = None  #: authorities to trust instead of the system's


@dataclass(frozen=True, slots=True)
class Settings:
    """How this installation runs."""

    data: Path  #: folder for the embedded store, the catcher's mails, reports
    database_url: str = field(repr=False)
    secret: bytes = field(repr=False)  #: signs tokens and sessions, keys the suppression hashes
    public_url: str  #: base of every tracked address, without a slash at the end
    web_port: int
    hits_port: int  #: tracking and public pages; a process of its own
    smtp_url: str = field(
        repr=False
    )  #: smtp://, smtp+starttls:// or smtps://, with user and password if needed
    bounce_maildir: Path | None  #: a Maildir into which the mail server delivers returned mail
    senders: int  #: sender processes of `postroom run`, or of a `postroom celery-worker`
    broker_url: str = field(default="", repr=False)  #: amqp:// or amqps://; empty: this machine sends alone
    window: int = 16  #: chunks of a lane that the broker may hold; two for each sender process of the cluster
    smtp_connections: int = 8  #: at once, of each sender
    smtp_per_connection: int = 1000  #: mails on one connection, then another is opened
    smtp_cafile: Path | None = None  #: authorities to trust instead of the system's
    journal_sync: int = 0  #: messages after which the crash journal is synced; 0: never
    rate: float | None = None  #: messages a second of the SMTP account, all senders together; None: no limit
    lane_caps: bool = True  #: lanes start with caps, where mail leaves by a server of ours
    accounts_file: Path | None = None  #: names several accounts and routes; None: the SMTP account alone
    hits_sync: str = "full"  #: how SQLite syncs hits: full, or normal: a power cut may undo the newest
    tracking: Tracking = Tracking.INDIVIDUAL  #: of contacts who never chose a level
    ranges: Path | None = None  #: a file or folder of published networks; None: none is known
    host: str = "127.0.0.1"  #: where the pages and tracked addresses listen
    metrics_host: str = "127.0.0.1"  #: where /metrics listens
    metrics_port: int = 8027  #: 0: nowhere
    mailboxes: Mailboxes = field(default_factory=Mailboxes)
    metrics_token: str = field(default="", repr=False)  #: what a reader of /metrics must show; empty: nothing
    spam_url: str = ""  #: the spam filter that mails are shown to; empty: what is on this machine; off: none

    @property
    def journals(self) -> Path:
        """Where this machine's senders keep their crash journals; must be on a local disk."""
        return self.data / "journal"


def from_environment(env: Mapping[str, str] = os.environ, *, make: bool = True) -> Settings:
    """Read POSTROOM_* variables; make the data folder and its secret on first use.

    Args:
        env: the variables.
        make: whether a folder that is not there is made: who only looks must not begin an installation.

    Raises:
        BadSettings: with every variable that does not hold, or for the data folder.
    """
    problems: list[Problem] = []
    data = Path(env.get("POSTROOM_DATA", str(DEFAULT_DATA))).absolute()
    web_port = _port(env, "POSTROOM_WEB_PORT", 8025, problems)
    hits_port = _port(env, "POSTROOM_HITS_PORT", 8026, problems)
    public_url = env.get("POSTROOM_PUBLIC_URL", f"http://127.0.0.1:{hits_port}").rstrip("/")
    _require_scheme("POSTROOM_PUBLIC_URL", public_url, {"http", "https"}, problems)
    smtp_url = env.get("POSTROOM_SMTP_URL", CATCHER_URL)
    _require_scheme("POSTROOM_SMTP_URL", smtp_url, {"smtp", "smtp+starttls", "smtps"}, problems)
    database_url = env.get("POSTROOM_DATABASE_URL", f"sqlite:///{data}/postroom.db")
    _require_scheme(
        "POSTROOM_DATABASE_URL", database_url, {"sqlite", "postgresql", "postgresql+psycopg"}, problems
    )
    sending = _sending(env, database_url, problems)
    metrics_port = _number(env, "POSTROOM_METRICS_PORT", 8027, 0, 65535, problems)
    hits_sync = _word(env, "POSTROOM_HITS_SYNC", ("full", "normal"), problems)
    tracked = _tracking(env, data, problems)
    maildir = env.get("POSTROOM_BOUNCE_MAILDIR")
    mailboxes = _mailboxes(env, problems)
    spam_url = env.get("POSTROOM_SPAM_URL", "")
    if spam_url not in {"", "off"}:
        _require_scheme("POSTROOM_SPAM_URL", spam_url, {"http", "https", "spamd"}, problems)
    if problems:
        raise BadSettings(problems)
    secret = _kept_secret(env, data, make=make)
    return Settings(
        data=data,
        database_url=database_url,
        secret=secret,
        public_url=public_url,
        web_port=web_port,
        hits_port=hits_port,
        smtp_url=smtp_url,
        bounce_maildir=Path(maildir).absolute() if maildir else None,
        hits_sync=hits_sync,
        **tracked,
        host=env.get("POSTROOM_HOST", "127.0.0.1"),
        metrics_host=env.get("POSTROOM_METRICS_HOST", "127.0.0.1"),
        metrics_port=metrics_port,
        mailboxes=mailboxes,
        metrics_token=env.get("POSTROOM_METRICS_TOKEN", ""),
        spam_url=spam_url,
        **sending,
    )


def _sending(env: Mapping[str, str], database_url: str, problems: list[Problem]) -> dict[str, Any]:
    """Read how many senders there are, and how they send."""
    return {
        "senders": _number(env, "POSTROOM_SENDERS", 1, 1, 64, problems),
        "smtp_connections": _number(env, "POSTROOM_SMTP_CONNECTIONS", 8, 1, 500, problems),
        "smtp_per_connection": _number(env, "POSTROOM_SMTP_PER_CONNECTION", 1000, 1, 1_000_000, problems),
        "smtp_cafile": _file(env, "POSTROOM_SMTP_CAFILE", problems),
        "journal_sync": _number(env, "POSTROOM_JOURNAL_SYNC", 0, 0, 10_000, problems),
        "broker_url": _broker(env, database_url, problems),
        "window": _number(env, "POSTROOM_WINDOW", 16, 1, 10_000, problems),
        "rate": _rate(env, problems),
        "lane_caps": _word(env, "POSTROOM_LANE_CAPS", ("on", "off"), problems) == "on",
        "accounts_file": _file(env, "POSTROOM_ACCOUNTS", problems),
    }


def _tracking(env: Mapping[str, str], data: Path, problems: list[Problem]) -> dict[str, Any]:
    """Read how contacts are tracked who never said, and where the networks of scanners are listed."""
    levels = tuple(level.value for level in Tracking)
    level = _word(env, "POSTROOM_TRACKING", levels, problems)
    ranges = Path(env["POSTROOM_RANGES"]).absolute() if env.get("POSTROOM_RANGES") else None
    if ranges is not None and not ranges.exists():
        told = f"is {str(ranges)!r}, which is neither a file nor a folder."
        problems.append(Problem("POSTROOM_RANGES", told, "Correct it, or unset it."))
    return {
        "tracking": Tracking(level) if level in levels else Tracking.INDIVIDUAL,
        "ranges": ranges or data / "ranges",
    }


def _port(env: Mapping[str, str], name: str, default: int, problems: list[Problem]) -> int:
    return _number(env, name, default, 1, 65535, problems)


def _number(
    env: Mapping[str, str], name: str, default: int, low: int, high: int, problems: list[Problem]
) -> int:
    text = env.get(name, str(default))
    if not text.isdigit() or not low <= int(text) <= high:
        problems.append(
            Problem(name, f"is {text!r}, not a whole number from {low} to {high}.", "Set it, or unset it.")
        )
        return default
    return int(text)


def _word(env: Mapping[str, str], name: str, words: tuple[str, ...], problems: list[Problem]) -> str:
    text = env.get(name, words[0])
    if text not in words:
        problems.append(
            Problem(name, f"is {text!r}, not one of {', '.join(words)}.", "Correct it, or unset it.")
        )
    return text


def _broker(env: Mapping[str, str], database_url: str, problems: list[Problem]) -> str:
    name = "POSTROOM_BROKER_URL"
    if not (url := env.get(name, "")):
        return ""
    _require_scheme(name, url, {"amqp", "amqps"}, problems)
    if database_url.startswith("sqlite"):
        told = "is set, and the store is SQLite, which only one machine can write."
        problems.append(Problem(name, told, "Set POSTROOM_DATABASE_URL=postgresql://…, or unset it."))
    return url


def _rate(env: Mapping[str, str], problems: list[Problem]) -> float | None:
    """Read messages a second; a fraction is fine (0.5: one in two seconds)."""
    name = "POSTROOM_RATE"
    if not (text := env.get(name, "")):
        return None
    if env.get("POSTROOM_ACCOUNTS"):
        told = "is set beside POSTROOM_ACCOUNTS, and would limit nothing."
        problems.append(Problem(name, told, "Write rate = … at each account of that file, and unset it."))
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.001 <= rate <= 1_000_000:
        told = f"is {text!r}, not a number of messages a second from 0.001 to 1000000."
        problems.append(Problem(name, told, "Correct it, or unset it for no limit."))
    return rate


def _file(env: Mapping[str, str], name: str, problems: list[Problem]) -> Path | None:
    text = env.get(name, "")
    if text and not Path(text).is_file():
        problems.append(Problem(name, f"is {text!r}, which is no file.", "Correct it, or unset it."))
    return Path(text).absolute() if text else None


def _require_scheme(name: str, url: str, schemes: set[str], problems: list[Problem]) -> None:
    """Look at an address without telling more of it than how it begins: it may hold a password."""
    wanted = ", ".join(sorted(f"{scheme}://…" for scheme in schemes))
    try:
        parts = urlsplit(url)
        names_host = bool(parts.netloc) or "host=" in parts.query
        found, _ = parts.scheme, parts.port
    except ValueError:
        told = f"cannot be read as one of {wanted}."
    else:
        if found in schemes and (found == "sqlite" or names_host):
            return
        told = "names no host." if found in schemes else f"begins with {_scheme(url)}, not one of {wanted}."
    problems.append(Problem(name, told, "Correct it, or unset it."))


def _scheme(url: str) -> str:
    scheme, mark, _ = url.partition("://")
    return f"{scheme[:20]}://" if mark and re.fullmatch(r"[A-Za-z][A-Za-z0-9.+-]*", scheme) else "no scheme"


def _mailboxes(env: Mapping[str, str], problems: list[Problem]) -> Mailboxes:
    return Mailboxes(
        _secret_url(env, "POSTROOM_BOUNCE_IMAP_URL", "imap", problems),
        _secret_url(env, "POSTROOM_BOUNCE_POP3_URL", "pop3", problems),
        _file(env, "POSTROOM_BOUNCE_CAFILE", problems),
    )


def _secret_url(env: Mapping[str, str], name: str, way: str, problems: list[Problem]) -> str:
    """Read the address of a mailbox; it holds a password, so it is not told."""
    url = env.get(name, "")
    wanted = (f"{way}s://", f"{way}+starttls://", f"{way}://")
    if url and not url.startswith(wanted):
        told = f"is not one of {', '.join(one + '…' for one in wanted)}."
        problems.append(Problem(name, told, f"Write {way}s://user:password@host."))
    return url


def _kept_secret(env: Mapping[str, str], data: Path, *, make: bool) -> bytes:
    """Open the data folder, and the secret in it."""
    where = "data folder"
    try:
        if data.exists() and not data.is_dir():
            raise BadSettings([Problem(where, f"{data} is no folder.", "Set POSTROOM_DATA to one.")])
        if make:
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
        elif not data.exists() and not env.get("POSTROOM_SECRET"):
            raise BadSettings([Problem(where, f"there is no {data}.", ELSEWHERE)])
        return _secret(env, data)
    except OSError as error:
        what = f"{error.filename or data}: {error.strerror or error}."
        cure = f"Set POSTROOM_DATA to a folder that this user ({os.geteuid()}) may write."
        raise BadSettings([Problem(where, what, cure)]) from error


def _secret(env: Mapping[str, str], data: Path) -> bytes:
    """Take POSTROOM_SECRET, or the key file in the data folder, made on first use (mode 0600)."""
    if given := env.get("POSTROOM_SECRET"):
        return given.encode()
    path = data / "secret.key"
    if not path.exists():
        made = data / f".secret.{os.getpid()}"
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_hex(SECRET_BYTES))
        with suppress(FileExistsError):  # another process made it first: its key holds
            os.link(made, path)
        made.unlink()
    return path.read_text().strip().encode()
