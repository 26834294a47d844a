"""`postroom doubts`: messages handed to the wire with no answer; who they are, and what becomes of them."""

import csv
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import click
from sqlalchemy.orm import Session

from campaigns.cli.opening import opened
from campaigns.clock import utc_now
from campaigns.config import Settings
from campaigns.errors import NotFound, PostroomError
from campaigns.flows import doubting
from campaigns.flows.doubting import Decision, Resolved
from campaigns.records import campaigns, outbox, staff
from campaigns.records.outbox import Doubt
from campaigns.records.staff import Desk
from campaigns.tracking.tokens import Keyring
from campaigns.values import MessageKey
from campaigns.wiring import Stores, routing_of

AT_ONCE = 1000
COLUMNS = (
    "run", "seq", "campaign", "occurrence", "contact", "name", "address", "message_id", "since", "last_word",
    "evidence", "account",
)  # fmt: skip


@click.group(invoke_without_command=True)
@click.option("--run", type=int, help="Only those of this run.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--csv", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write them to a file.")
@click.pass_context
def doubts(context: click.Context, run: int | None, as_json: bool, file: Path | None) -> None:  # noqa: FBT001 - click's shape
    """List messages in doubt: handed to the mail server, and no answer came back.

    Nothing sends them again on its own. `postroom doubts resolve` decides.
    """
    if context.invoked_subcommand is not None:
        return
    with opened() as (settings, stores), stores.readers() as session:
        if run is not None:
            campaigns.get_run(session, run)
        lines = _lines(session, Keyring(settings.secret), run)
        if file is not None:
            click.echo(f"{_write(file, lines)} in {file}")
        elif as_json:
            for line in lines:
                click.echo(json.dumps(line, ensure_ascii=False))
        else:
            _print(session, lines, run, settings)


def _lines(session: Session, keyring: Keyring, run: int | None) -> Iterator[dict[str, object]]:
    """Every message in doubt, some at a time: there may be many, after a power cut."""
    after: MessageKey | None = None
    while found := outbox.in_doubt(session, run=run, after=after, limit=AT_ONCE):
        yield from (_line(doubt, keyring) for doubt in found)
        after = MessageKey(found[-1].run, found[-1].seq)


def _line(doubt: Doubt, keyring: Keyring) -> dict[str, object]:
    evidence = [{"kind": one.kind, "at": _moment(one.at)} for one in doubt.evidence]
    values = (
        doubt.run, doubt.seq, doubt.campaign, doubt.occurrence, doubt.contact, doubt.name, doubt.address,
        doubting.message_id(doubt, keyring), _moment(doubt.at), doubt.said, evidence,
        doubt.account,
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def _moment(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


def _write(file: Path, lines: Iterator[dict[str, object]]) -> str:
    from web.marketing.export import harmless

    count = 0
    with file.open("w", newline="", encoding="utf-8-sig") as opened:
        writer = csv.writer(opened)
        writer.writerow(COLUMNS)
        for line in lines:
            told = line | {"evidence": _told(line["evidence"])}
            texts = ("" if value is None else str(value) for value in told.values())
            writer.writerow([harmless(text) for text in texts])
            count += 1
    return _many(count)


def _told(evidence: object) -> str:
    assert isinstance(evidence, list)
    return "; ".join(f"{one['kind']} {one['at']}" for one in evidence)


def _many(count: int) -> str:
    return "1 message" if count == 1 else f"{count:,} messages"


def _print(session: Session, lines: Iterator[dict[str, object]], run: int | None, settings: Settings) -> None:
    count, last, several = 0, None, len(routing_of(settings).accounts) > 1
    for line in lines:
        if line["run"] != last:
            last = line["run"]
            click.echo(f"Run {last} of “{_plain(line['campaign'])}”, {line['occurrence']}")
        count += 1
        whom = f"{_plain(line['name']) or 'without a name'} <{_plain(line['address'])}>"
        click.echo(f"  {line['seq']}  {whom}, contact {line['contact']}")
        through = f", through {line['account']}" if several else ""
        click.echo(f"      Message-ID {line['message_id']}{through}")
        click.echo(f"      since {line['since']}: {_plain(line['last_word']) or 'no word was left'}")
        if line["evidence"]:
            click.echo(f"      it did arrive: {_told(line['evidence'])}")
    if not count:
        click.echo("No message is in doubt." if run is None else f"No message of run {run} is in doubt.")
        return
    held = len(outbox.doubted_runs(session, run=run))
    click.echo(f"{_many(count)} in doubt, of {held} run{'s' * (held != 1)}.")
    click.echo(
        f"Whether the mail server took one is in the log of {_server(settings)}: look for its Message-ID.\n"
        "Then decide: postroom doubts resolve --run N [--seq M] arrived|send-again --by YOUR@ADDRESS"
    )


def _plain(text: object) -> str:
    """A text from outside, without what would move the cursor."""
    return "".join(sign if sign.isprintable() else "�" for sign in str(text or ""))


def _server(settings: Settings) -> str:
    return ", ".join(routing_of(settings).places())


@doubts.command()
@click.argument("decision", type=click.Choice([one.value for one in Decision]))
@click.option("--run", type=int, help="Of this run ...")
@click.option("--seq", "seqs", type=int, multiple=True, help="... only this place; may be given again.")
@click.option("--all", "everything", is_flag=True, help="All, of every run.")
@click.option("--by", required=True, help="Your mail address, as you log in: it stands in the history.")
@click.option("--within", type=click.IntRange(1, 720), help="Hours that a run whose time is over may go on.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def resolve(
    decision: str,
    run: int | None,
    seqs: tuple[int, ...],
    everything: bool,  # noqa: FBT001 - click's shape
    by: str,
    within: int | None,
    yes: bool,  # noqa: FBT001 - click's shape
) -> None:
    """Decide: `arrived` counts them as sent; `send-again` queues them, and every gate is asked again."""
    if everything == (run is not None) or (seqs and run is None):
        raise click.UsageError("Say which: --run N, --run N --seq M, or --all.")
    with opened() as (_settings, stores):
        seen = utc_now()  # what comes into doubt from here on was not on anybody's list
        with stores.readers() as session:
            who = _person(session, by)
            chosen = _chosen(session, run, seqs)
        if not chosen:
            click.echo("None of these is in doubt; nothing was changed.")
            return
        if not yes:
            click.confirm(_question(Decision(decision), sum(chosen.values()), len(chosen)), abort=True)
        hours = None if within is None else timedelta(hours=within)
        act = partial(
            doubting.resolve, decision=Decision(decision), seqs=seqs or None, until=seen, by=who, within=hours
        )
        if not _decide(stores, Decision(decision), chosen, act):
            raise SystemExit(1)


def _decide(stores: Stores, decision: Decision, chosen: dict[int, int], act: Callable[..., Resolved]) -> bool:
    """Decide run by run, each in a transaction of its own; False if one of them refused."""
    fine = True
    for run, asked in chosen.items():
        try:
            with stores.sessions.begin() as session:
                done = act(session, run, now=utc_now())
        except PostroomError as error:
            click.echo(f"run {run}: {error}", err=True)
            fine = False
        else:
            click.echo(f"run {run}: {_done(decision, done, asked)}")
    return fine


def _person(session: Session, by: str) -> str:
    """The person of ours who decides.

    Raises:
        NotFound: nobody who may, logs in with this address.
    """
    found = staff.credentials(session, by)
    if found is None or not found[0].sits_at(Desk.MARKETING):
        raise NotFound(f"{by!r} is nobody at the marketing desk. Give the address that you log in with.")
    return found[0].email


def _chosen(session: Session, run: int | None, seqs: tuple[int, ...]) -> dict[int, int]:
    """How many messages are in doubt, by run, of those that are meant."""
    if run is not None:
        campaigns.get_run(session, run)
    if run is not None and seqs:
        found = outbox.still_in_doubt(session, [MessageKey(run, seq) for seq in sorted(set(seqs))])
        return {run: len(found)} if found else {}
    return {one.run: one.unknown for one in outbox.doubted_runs(session, run=run)}


def _question(decision: Decision, count: int, held: int) -> str:
    of = f" of {held} runs" if held > 1 else ""
    if decision is Decision.ARRIVED:
        return f"Count {_many(count)}{of} as arrived?"
    return f"Send {_many(count)}{of} again? Whoever has the mail already gets it twice."


def _done(decision: Decision, done: Resolved, asked: int) -> str:
    words = "counted as arrived" if decision is Decision.ARRIVED else "queued again"
    told = [f"{_many(done.decided)} {words}"]
    if done.proven:
        told.append(f"{done.proven} proven to have arrived and counted so")
    if (left := asked - done.decided - done.proven) > 0:
        told.append(f"{left} decided by somebody else meanwhile, or not in doubt any more")
    return ", ".join(told)
