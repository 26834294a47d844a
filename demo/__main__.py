"""`python -m demo [--once]`, which is what `make demo` runs."""

import sys

import click

from demo.company import CUSTOMERS
from demo.main import run


@click.command()
@click.option("--once", is_flag=True, help="Exit when the report is checked; status 1 if a number is wrong.")
@click.option("--customers", default=CUSTOMERS, show_default=True, type=click.IntRange(400), help="How many.")
def main(*, once: bool, customers: int) -> None:
    """Import a company, run a campaign and a survey through real SMTP, and check the report."""
    sys.exit(run(once=once, customers=customers))


main()
