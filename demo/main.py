"""The demo from beginning to end: import, schedule, send, be answered, report, check."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from socket import socket

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from campaigns.cli.ports import stays_taken
from campaigns.cli.running import CATCHER_PORT, Stopping, end, start
from campaigns.clock import utc_now
from campaigns.config import Settings, from_environment
from campaigns.delivery.catcher import Catcher
from campaigns.flows import schedule
from campaigns.model.events import hits
from campaigns.model.mail import messages
from campaigns.records import campaigns, staff
from campaigns.records import hits as hit_records
from campaigns.records.reports import run_report, summary_lines
from campaigns.values import CampaignState
from campaigns.wiring import Stores, migrate, open_stores
from demo import company, life, seeds
from demo.checking import Difference, differences
from demo.fates import is_refused
from demo.postmaster import Postmaster, refuse
from demo.world import World

MARK = "this folder belongs to make demo and is made anew at every start"
PATIENCE = 240.0  #: seconds after which a demo that does not end is an error
HOST = "127.0.0.1"
LOG = "processes.log"  #: what the processes of the installation say


@dataclass
class Stage:
    """Everything that runs while the demo does."""

    settings: Settings
    stores: Stores
    mail: Catcher
    returned: Catcher
    console: Console


def run(*, once: bool, customers: int) -> int:
    """Play the demo; gives 0 if the report told the truth. Without `once`, stay up until Ctrl-C."""
    started = time.monotonic()
    stage = _prepare()
    children: list[subprocess.Popen[bytes]] = []
    stopping = Stopping()
    try:
        setup = _set_up(stage, customers)
        children = [
            start([command], stage.settings.data / LOG) for command in ("hits", "web", "worker", "sender")
        ]
        _wait_for_pages(stage)
        found = _play(stage, setup, customers)
        _tell(stage, found, time.monotonic() - started, once=once)
        while not once and not stopping():
            stopping.wait(1.0)
        return 1 if found else 0
    finally:
        end(children)
        stage.mail.stop()
        stage.returned.stop()


def _prepare() -> Stage:
    """Make a fresh folder and store, and the world's two mail servers."""
    console = Console(highlight=False)
    folder = Path(os.environ.get("POSTROOM_DATA", "var/demo")).absolute()
    _make_anew(folder)
    web, public = _port("POSTROOM_WEB_PORT", 8025), _port("POSTROOM_HITS_PORT", 8026)
    returned = Catcher(folder / "returned", HOST, 0)
    mail = Catcher(folder / "caught", HOST, _free_port(CATCHER_PORT), refuse)
    for server in (returned, mail):
        server.start()
    os.environ |= {
        "POSTROOM_DATA": str(folder),
        "POSTROOM_WEB_PORT": str(web),
        "POSTROOM_HITS_PORT": str(public),
        "POSTROOM_PUBLIC_URL": f"http://{HOST}:{public}",
        "POSTROOM_SMTP_URL": f"smtp://{HOST}:{mail.port}",
        "POSTROOM_BOUNCE_MAILDIR": str(folder / "returned"),
    }
    settings = from_environment()
    migrate(settings.database_url)
    return Stage(settings, open_stores(settings.database_url), mail, returned, console)


def _make_anew(folder: Path) -> None:
    mark = folder / "DEMO"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        sys.exit(
            f"postroom: {folder} has files that are not the demo's. Name another folder: POSTROOM_DATA=… make demo"
        )
    shutil.rmtree(folder, ignore_errors=True)
    for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        missing.mkdir(mode=0o700)  # `make run` may keep its own beside it
    mark.write_text(MARK + "\n")


def _port(name: str, usual: int) -> int:
    """The port that is asked for, else the usual one or any that is free."""
    asked = os.environ.get(name, "")
    if not asked.isdigit():
        return _free_port(usual)
    if stays_taken(HOST, int(asked)):  # the pages' servers would share it, and answer half of what comes
        sys.exit(
            f"postroom: {name}: is {asked}, where something listens already. End that, or choose another."
        )
    return int(asked)


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AssertionError("no free port")


def _set_up(stage: Stage, customers: int) -> seeds.Setup:
    """Set the company up, and import its customers and orders the way a user does: by the command."""
    now = utc_now()
    with stage.stores.sessions.begin() as session:
        if staff.any_exist(session):
            sys.exit(
                "postroom: POSTROOM_DATABASE_URL names a database with an installation in it; "
                "the demo wants one that is empty. Name another, or none."
            )
        setup = seeds.set_up(session, now)
    contacts, orders = company.write(stage.settings.data / "export", now, customers)
    stage.console.print(f"Importing [b]{contacts.name}[/b] and [b]{orders.name}[/b] …")
    _postroom(
        "import",
        "contacts",
        str(contacts),
        "--topic",
        seeds.NEWSLETTER,
        "--attribute",
        "Favourite genre=genre:text",
        "--yes",
    )
    _postroom("import", "orders", str(orders), "--yes")
    owned = company.write_owners(orders.parent, now, seeds.REP, seeds.HIS_COUNTRIES, customers)
    _postroom("assign-owner", str(owned), "--by", seeds.AUTHOR)
    with stage.stores.sessions.begin() as session:
        setup = seeds.with_segments(session, setup, now)
        life.live(session, life.draw_life(customers), setup.topic, stage.settings.secret, now)
    return setup


def _postroom(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "campaigns.cli", *arguments], check=True)


def _wait_for_pages(stage: Stage) -> None:
    until = time.monotonic() + PATIENCE
    for port in (stage.settings.web_port, stage.settings.hits_port):
        while True:
            with socket() as probe:
                if probe.connect_ex((HOST, port)) == 0:
                    break
            if time.monotonic() > until:
                sys.exit(f"postroom: nothing answers on port {port}. {stage.settings.data / LOG} says why.")
            time.sleep(0.1)


def _play(stage: Stage, setup: seeds.Setup, customers: int) -> list[Difference]:
    now = utc_now()
    soon = now + timedelta(seconds=2)
    with stage.stores.sessions.begin() as session:
        letter = seeds.draft_letter(session, setup, now, soon)
        survey = seeds.draft_survey(session, setup, now, soon)
        for campaign in (letter, survey):
            schedule.schedule(session, campaign, actor=seeds.AUTHOR, now=now)
    stage.console.print(
        f"Two campaigns are scheduled for {soon:%H:%M:%S} UTC; the world waits for its mail …"
    )
    world = World(
        stage.mail.folder, Postmaster(HOST, stage.returned.port), {survey}, stage.settings.public_url
    )
    deadline = time.monotonic() + PATIENCE
    world.play(lambda: _are_over(stage, (letter, survey), deadline))
    stage.console.print(
        "The world has answered; waiting until every hit is judged and every returned mail read …"
    )
    _wait_for_verdicts(stage, deadline)
    gates = life.expected_gates(company.people(now, customers), life.draw_life(customers))
    return [
        *_report(stage, world, letter, gates),
        *_report(stage, world, survey, None),
        *_strays(stage, world),
    ]


def _are_over(stage: Stage, campaign_ids: tuple[int, ...], deadline: float) -> bool:
    with stage.stores.readers() as session:
        states = {campaigns.get(session, campaign).state for campaign in campaign_ids}
    if time.monotonic() > deadline:
        sys.exit(f"postroom: the campaigns are still {', '.join(states)} after {PATIENCE:.0f} s.")
    return states <= {CampaignState.FINISHED, CampaignState.DOUBTS}


def _wait_for_verdicts(stage: Stage, deadline: float) -> None:
    new = stage.returned.folder / "new"
    while time.monotonic() < deadline:
        with stage.stores.readers() as session:
            waiting = session.execute(
                sa.select(hits.c.id).where(hits.c.judged.is_(sa.false())).limit(1)
            ).first()
        if waiting is None and not any(new.iterdir()):
            return
        time.sleep(0.3)
    sys.exit("postroom: some hits were not judged, or some returned mail not read, in time.")


def _strays(stage: Stage, world: World) -> list[Difference]:
    """Hold the count of forged requests against those that the world made."""
    with stage.stores.readers() as session:
        counted = hit_records.stray_counts(session, since="")
    return (
        [] if counted == world.forged else [Difference("forged requests", "by page", counted, world.forged)]
    )


def _report(stage: Stage, world: World, campaign: int, gates: Counter[str] | None) -> list[Difference]:
    """Print one campaign's report and hold it against the world, and its gates against what was expected."""
    with stage.stores.readers() as session:
        run = campaigns.runs_of(session, campaign)[0]
        report = run_report(session, run.id, utc_now())
        tried = sa.select(messages.c.address).where(messages.c.run_id == run.id, messages.c.gate.is_(None))
        refused = sum(1 for address in session.scalars(tried) if is_refused(address))
    table = Table(title=report.campaign, title_justify="left", show_header=False)
    for name, value in summary_lines(report):
        table.add_row(name, f"{value:,}" if isinstance(value, int) else value)
    stage.console.print(table)
    return differences(report, world.truths[campaign], refused=refused, gates=gates)


def _tell(stage: Stage, found: list[Difference], seconds: float, *, once: bool) -> None:
    say = stage.console.print
    if found:
        say(f"[red]{len(found)} numbers are not what happened:[/red]")
        for one in found:
            say(f"  {one}", markup=False)
    else:
        say("[green]Every number above is what the world really did.[/green]")
    say(f"It took {seconds:.0f} s.\n")
    if once:
        return
    say(f"Pages:  http://{HOST}:{stage.settings.web_port}/")
    for email, (name, desks) in seeds.LOGINS.items():
        say(f"  {email}  ({name}: {', '.join(sorted(desks))})")
    say(f"  password of all: {seeds.PASSWORD}")
    say("Mara's pages also show the caught mails: what customers read, with links that work.")
    say("From another shell, the commands of the README see this company with:")
    say(f"  export POSTROOM_DATA={shlex.quote(str(stage.settings.data))}", soft_wrap=True)
    if "POSTROOM_DATABASE_URL" in os.environ:
        say("and the POSTROOM_DATABASE_URL that was set here.")
    say("Stop with Ctrl-C.")
