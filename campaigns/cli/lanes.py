"""`postroom lanes`: how fast each provider is served, why, and until when; caps, warm-ups, holds."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

import click
from sqlalchemy.orm import Session

from campaigns.cli.opening import opened
from campaigns.clock import utc_now
from campaigns.delivery.lanes import ALL_LANES, STARTS
from campaigns.delivery.warmup import Plan
from campaigns.errors import NotAllowed
from campaigns.records import lanes as records
from campaigns.records import staff
from campaigns.records.lanes import EVERY_ACCOUNT, WHOLE, DomainPlan, LaneLine, Limits, Warming
from campaigns.values import MAIN
from campaigns.wiring import Stores

MOST = 10**8
COLOURS = {"open": "green", "held": "red", "half open": "cyan", "slowed": "yellow", "full": "blue"}
HEADINGS = (
    "account",
    "lane",
    "state",
    "rate/min",
    "cap/min",
    "at once",
    "sent today",
    "of",
    "reopens (UTC)",
    "warm-up",
)

_account = click.option("--account", default=MAIN, show_default=True, help="Or '*': every account.")


class LaneName(click.ParamType[str]):
    """One of the lanes, or '*' for all of an account together."""

    name = "lane"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a name; one that is nearly right is asked for."""
        if value in (*ALL_LANES, WHOLE):
            return value
        near = get_close_matches(value.lower(), ALL_LANES, 1)
        cure = (
            f"Did you mean {near[0]}?"
            if near
            else f"There are {', '.join(ALL_LANES)}, and '*': all together."
        )
        raise click.BadParameter(f"no lane is called {value!r}. {cure}", ctx, param)


_lane = click.argument("lane", type=LaneName(), metavar="LANE")
_by = click.option(
    "--by", required=True, help="Who decides, for the log: an address as you log in, or a name."
)


@click.group("lanes", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.pass_context
def lanes(context: click.Context, *, as_json: bool) -> None:
    """Show each lane: its rate now and its caps, what went today, why it is slower, when it reopens."""
    if context.invoked_subcommand is not None:
        return
    now = utc_now()
    with _stores() as stores, stores.readers() as session:
        lines = records.lane_lines(session, now)
    if as_json:
        click.echo(json.dumps({"lanes": [asdict(one) for one in lines]}, indent=1, default=str))
    else:
        _print(lines)


@lanes.command()
@_lane
@_account
@_by
@click.option("--per-minute", type=click.FloatRange(0.01, 1e8), help="Mails a minute at most.")
@click.option("--no-cap", is_flag=True, help="Any number a minute, also where the lane starts with a cap.")
@click.option("--connections", type=click.IntRange(0, 1000), help="Mails under way at once, by SMTP; 0: any.")
@click.option("--per-day", type=click.IntRange(1, 10**8), help="Mails a day at most, by the date in UTC.")
@click.option("--warm-up", nargs=3, type=float, help="BASE GROWTH TARGET: such as 100 1.5 50000.")
def limit(
    lane: str,
    account: str,
    by: str,
    warm_up: tuple[float, float, float] | None,
    **caps: Any,
) -> None:
    """Set all limits of a lane ('*': all lanes together); what is not named is as it starts, or none."""
    plan = None if warm_up is None else _plan(*warm_up)
    if caps.pop("no_cap"):
        if caps["per_minute"] is not None:
            raise NotAllowed("--no-cap and --per-minute say opposite things; name one.")
        caps["per_minute"] = 0.0
    if lane == WHOLE and (
        plan is not None or any(caps[one] is not None for one in ("per_minute", "connections"))
    ):
        raise NotAllowed(
            "All lanes together have a number a day only; an account's rate is in its own settings."
        )
    with _stores() as stores, stores.sessions.begin() as session:
        chosen = Limits(**caps, plan=plan)
        records.set_limits(session, account, lane, chosen, actor=_known(session, by), now=utc_now())
        _tell(session, account, lane)


def _known(session: Session, by: str) -> str:
    """Who decides; a mail address must be somebody's, so that the log names who can be asked.

    Raises:
        NotAllowed: nobody logs in by this address.
    """
    if "@" in by and by.strip().lower() not in {one.email for one in staff.listing(session) if one.active}:
        raise NotAllowed(
            f"--by {by}: nobody logs in here by this address. Correct it, or give a name without @."
        )
    return by


def _tell(session: Session, account: str, lane: str) -> None:
    """Show how a lane stands now."""
    lines = records.lane_lines(session, utc_now())
    mine = [one for one in lines if (one.account, one.lane) == (account, lane)]
    if mine:
        _print(mine)
    else:
        click.echo(f"{lane} by {account}: nothing is set any more.")


def _plan(base: float, growth: float, target: float) -> Plan:
    if not (1 <= base <= MOST and 1.05 <= growth <= 3 and base <= target <= MOST):
        raise NotAllowed("A warm-up is BASE GROWTH TARGET: from 1 on, 1.05 to 3, and not less than BASE.")
    return Plan(int(base), growth, int(target))


@lanes.command("warm-up")
@click.argument("domain", required=False)
@_account
@click.option("--by", help="Who decides, for the log.")
@click.option("--plan", nargs=3, type=float, help="BASE GROWTH TARGET, for each lane: such as 100 1.5 50000.")
@click.option("--end", is_flag=True, help="It is warm: no plan holds any more.")
def warm_up(
    domain: str | None, account: str, by: str | None, plan: tuple[float, float, float] | None, **also: bool
) -> None:
    """Warm up a sending DOMAIN that is new, lane by lane; without one, show where warm-ups stand."""
    with _stores() as stores:
        if domain is None:
            with stores.readers() as session:
                _print_domains(records.plans(session), records.warming_lines(session))
            return
        if by is None or (plan is None) is not also["end"]:
            raise NotAllowed("Name --by YOU, and either --plan BASE GROWTH TARGET or --end.")
        chosen = None if plan is None else _plan(*plan)
        with stores.sessions.begin() as session:
            named = domain.strip().lower()
            records.set_plan(session, account, named, chosen, actor=_known(session, by), now=utc_now())
            plans = [one for one in records.plans(session) if (one.account, one.domain) == (account, named)]
            if plans:
                _print_domains(plans, records.warming_lines(session))
            else:
                click.echo(f"{named} is warm.")


def _print_domains(plans: Sequence[DomainPlan], lines: Sequence[Warming]) -> None:
    if not plans:
        click.echo("No sending domain is warmed up.")
    for one in plans:
        plan, mine = one.plan, [line for line in lines if line.plan == one.plan and line.domain == one.domain]
        click.secho(
            f"{one.domain} by {one.account}: from {plan.base} a day by {plan.growth:g} to {plan.target}"
        )
        for line in mine:
            word = line.word or "begun"
            click.echo(
                f"    {line.lane}: day {line.day + 1} ({word}), {line.taken_today(utc_now())} of {line.cap}"
            )


@lanes.command()
def starts() -> None:
    """Show the caps that the lanes of an SMTP server of yours start with; 'other' and the rest have none."""
    rows = [(lane, f"{one.per_minute:g}", str(one.connections)) for lane, one in STARTS.items()]
    headings = ("lane", "cap/min", "at once")
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    click.secho(_joined(headings, widths), bold=True)
    for row in rows:
        click.echo(_joined(row, widths))


@lanes.command()
@_lane
@_account
@_by
@click.option(
    "--for", "hours", type=click.FloatRange(0.01, 8760), help="Hours; without it until it is opened."
)
@click.option("--reason", required=True, help="Why; it is shown beside the lane.")
def hold(lane: str, account: str, by: str, hours: float | None, reason: str) -> None:
    """Send nothing more to a lane for a while."""
    if account == EVERY_ACCOUNT:
        raise NotAllowed("A lane is held account by account; name one.")
    now = utc_now()
    until = None if hours is None else now + timedelta(hours=hours)
    with _stores() as stores, stores.sessions.begin() as session:
        records.hold(session, account, lane, reason, until=until, actor=_known(session, by), now=now)
        _tell(session, account, lane)


@lanes.command("open")
@_lane
@_account
@_by
def open_(lane: str, account: str, by: str) -> None:
    """Open a lane at once, whatever its servers said or who held it; its caps stay."""
    with _stores() as stores, stores.sessions.begin() as session:
        records.reopen(session, account, lane, actor=_known(session, by), now=utc_now())
        _tell(session, account, lane)


@contextmanager
def _stores() -> Iterator[Stores]:
    with opened() as (_settings, stores):
        yield stores


def _print(lines: Sequence[LaneLine]) -> None:
    if not lines:
        click.echo("No lane was set or used yet; each that gets mail stands here from then on.")
        click.echo("postroom lanes starts: the caps that lanes begin with.")
        return
    rows = [_row(one) for one in lines]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    click.secho(_joined(HEADINGS, widths), bold=True)
    for one, row in zip(lines, rows, strict=True):
        click.secho(_joined(row, widths), fg=None if one.account == EVERY_ACCOUNT else COLOURS[one.word])
        if one.rule:
            click.echo(f"    {one.rule}" + (f": {one.sample}" if one.sample else ""))


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _row(one: LaneLine) -> tuple[str, ...]:
    plan = one.limits.plan
    warm = "" if plan is None else f"day {one.warm_day + 1} ({one.warm_word or 'begun'})"
    return (
        one.account,
        one.lane,
        "limits" if one.account == EVERY_ACCOUNT else one.word,
        _number(one.rate),
        _number(one.limits.cap) + (" (start)" if one.starts else ""),
        _number(one.limits.connections or None),
        _number(one.sent),
        _number(one.cap_today),
        _moment(one),
        warm,
    )


def _moment(one: LaneLine) -> str:
    at: datetime | None = one.reopens_at or one.whole_at
    if at is not None:
        return f"{at:%Y-%m-%d %H:%M:%S}"
    return "when it is opened" if one.word == "held" else ""


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.6g}"
