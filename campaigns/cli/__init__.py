"""`postroom …`: the shell's door, one file a group of commands; each is imported only when it is called."""

import os
import sys
from errno import EACCES, EPERM, EROFS
from importlib import import_module
from typing import ClassVar, NoReturn

import click

from campaigns import logs
from campaigns.errors import PostroomError

#: Commands whose output is their log; of the others it is their answer.
SERVING = frozenset({"run", "worker", "sender", "celery-worker", "hits", "web", "catcher", "metrics"})


class Commands(click.Group):
    """The commands, by the module and name where each lives."""

    places: ClassVar[dict[str, tuple[str, str]]] = {
        "run": ("campaigns.cli.running", "run"),
        "worker": ("campaigns.cli.running", "worker"),
        "sender": ("campaigns.cli.running", "sender"),
        "celery-worker": ("campaigns.cli.cluster", "celery_worker"),
        "hits": ("campaigns.cli.running", "hits"),
        "web": ("campaigns.cli.running", "web"),
        "catcher": ("campaigns.cli.running", "catcher"),
        "metrics": ("campaigns.cli.watching", "metrics_"),
        "accounts": ("campaigns.cli.accounts", "accounts"),
        "lanes": ("campaigns.cli.lanes", "lanes"),
        "doctor": ("campaigns.cli.doctor", "doctor"),
        "dns": ("campaigns.cli.dns", "dns"),
        "dkim": ("campaigns.cli.dkim", "dkim"),
        "migrate": ("campaigns.cli.running", "migrate_"),
        "import": ("campaigns.cli.importing", "import_"),
        "count": ("campaigns.cli.segments", "count"),
        "explain": ("campaigns.cli.segments", "explain"),
        "compile": ("campaigns.cli.templates", "compile_"),
        "doubts": ("campaigns.cli.doubts", "doubts"),
        "webhooks": ("campaigns.cli.webhooks", "webhooks"),
        "receive": ("campaigns.cli.receiving", "receive"),
        "classify": ("campaigns.cli.classify", "classify"),
        "preview": ("campaigns.cli.previewing", "preview"),
        "check": ("campaigns.cli.checking", "check"),
        "retain": ("campaigns.cli.retaining", "retain"),
        "assign-owner": ("campaigns.cli.owners", "assign_owner"),
        "erase": ("campaigns.cli.persons", "erase"),
        "export-person": ("campaigns.cli.persons", "export_person"),
        "verdicts": ("campaigns.cli.verdicts", "verdicts"),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's shape
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self.places:
            return None
        module, name = self.places[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="postroom")
@click.pass_context
def _root(ctx: click.Context) -> None:
    """Postroom: campaigns whose every number and every send can be trusted."""
    door = ctx.invoked_subcommand or ""
    logs.configure(door=door, stream=sys.stdout if door in SERVING else sys.stderr)


def main() -> None:
    """Run a command; an error of ours, or of the store, is told in its own words, without a traceback."""
    try:
        _root()
    except PostroomError as error:
        _give_up(str(error))
    except Exception as error:
        told = _of_the_folder(error)
        if not told and not SERVING.intersection(sys.argv[1:2]):
            told = _of_the_store(error)
        if not told:
            raise
        _give_up(told)


def _give_up(told: str) -> NoReturn:
    click.echo(f"postroom: {told}", err=True)
    sys.exit(1)


def _of_the_folder(error: Exception) -> str:
    """Say what to do about a file that this user may not touch; "": not that."""
    if not isinstance(error, OSError) or error.errno not in {EACCES, EPERM, EROFS} or not error.filename:
        return ""
    cure = f"Let this user ({os.geteuid()}) write there, or name another folder: POSTROOM_DATA=FOLDER"
    return f"{os.fsdecode(error.filename)}: {error.strerror}. {cure}"


def _of_the_store(error: Exception) -> str:
    """Say what to do about a store that is away, or without the tables of this version; "": not that."""
    from sqlalchemy.exc import OperationalError, ProgrammingError  # only a command that failed waits for it

    if not isinstance(error, OperationalError | ProgrammingError):
        return ""
    said = f"{type(error.orig).__name__} {error.orig}"
    if any(word in said for word in ("no such table", "no such column", "UndefinedTable", "UndefinedColumn")):
        return "The store has no tables yet, or those of another version. Run: postroom migrate"
    if isinstance(error, ProgrammingError):
        return ""
    return "The store cannot be read or written just now. To learn why, run: postroom doctor"
