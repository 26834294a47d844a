"""`postroom assign-owner`: give many customers to reps, by a file."""

import csv
from collections.abc import Iterator
from pathlib import Path

import click
from sqlalchemy.orm import Session

from campaigns.cli.numbers import many
from campaigns.cli.opening import opened
from campaigns.clock import utc_now
from campaigns.errors import BadImport
from campaigns.imports.addresses import BadAddress, normalise
from campaigns.records import owners
from campaigns.records.customers import acting
from campaigns.records.staff import Staff
from campaigns.values import Problem

COLUMNS = ("customer", "owner")
SHOWN = 20  #: problems


@click.command("assign-owner")
@click.argument("file", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--by", default="shell", show_default=True, help="Who does it: it stands in the history.")
@click.option("--dry-run", is_flag=True, help="Say how many would change hands, and change nothing.")
def assign_owner(file: Path, by: str, dry_run: bool) -> None:  # noqa: FBT001 - click's shape
    """Give customers to reps: FILE.csv has the columns customer and owner.

    `customer` is the id by which imports know the customer or one of its contacts, or a contact's mail
    address; `owner` the rep's mail address, or empty for nobody. Every line must hold, else nothing is
    changed.
    """
    with opened() as (_settings, stores), stores.sessions() as session:
        wanted = read(session, file)
        count = acting.assign_all(session, wanted, actor=by, now=utc_now())
        session.rollback() if dry_run else session.commit()
    click.echo(
        f"{count:,} of {many(len(wanted), 'customer')} {'would change' if dry_run else 'changed'} hands."
    )


def read(session: Session, file: Path) -> dict[int, Staff | None]:
    """Which customer goes to whom; the last line about one stands.

    Raises:
        BadImport: with every line that does not hold, up to some.
    """
    lines = list(_lines(file))
    reps = owners.reps(session)
    known = owners.customers_of(session, sorted({customer for _, customer, _ in lines}))
    problems: list[Problem] = []
    wanted: dict[int, Staff | None] = {}
    for number, customer, owner in lines:
        where = f"{file.name}, line {number}"
        if customer not in known:
            problems.append(
                Problem(
                    where,
                    f"no customer is known by {customer!r}.",
                    "Use its id of the imports, or a mail address.",
                )
            )
        if owner and owner not in reps:
            there = ", ".join(sorted(reps)) or "nobody yet"
            problems.append(Problem(where, f"{owner!r} is not at the sales desk.", f"There: {there}."))
        if customer in known:
            wanted[known[customer]] = reps.get(owner)
    if problems:
        more = [Problem(file.name, f"and {len(problems) - SHOWN:,} more.")] if len(problems) > SHOWN else []
        raise BadImport([*problems[:SHOWN], *more])
    return wanted


def _lines(file: Path) -> Iterator[tuple[int, str, str]]:
    with file.open(newline="", encoding="utf-8-sig") as opened:
        rows = csv.DictReader(opened, skipinitialspace=True)
        try:
            missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                cure = "The first line names them: customer,owner."
                raise BadImport([Problem(file.name, f"has no column {name}.", cure) for name in missing])
            for row in rows:
                yield rows.line_num, _as_stored(row["customer"] or ""), (row["owner"] or "").strip().lower()
        except (UnicodeDecodeError, csv.Error) as error:
            cure = "Save it as CSV in UTF-8, with commas."
            raise BadImport([Problem(file.name, "cannot be read.", cure)]) from error


def _as_stored(name: str) -> str:
    """Bring a mail address to the form in which it is stored; an id is none, and stays."""
    try:
        return normalise(name.strip())
    except BadAddress:
        return name.strip()
