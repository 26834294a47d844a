"""Alembic's entry: migrates the store named by the caller (see campaigns/wiring.py)."""

import re
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from campaigns.model import metadata
from campaigns.model.base import Id, Json, Moment
from campaigns.wiring import open_engine

#: Partitions come and go; the tables that they belong to are compared.
PARTITIONS = re.compile(r"(events|messages)_(default|\d{4}_\d\d|from_\d+(_small)?|run_\d+)")


def _include(obj: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:  # noqa: FBT001 - alembic's shape
    dialect = context.get_context().dialect.name
    if kind == "table":
        here = obj.info.get("only", dialect) == dialect
        return here and "view" not in obj.info and not PARTITIONS.fullmatch(name or "")
    return not (dialect == "postgresql" and name == "uq_events_dedupe")  # event_keys is unique there


def _render(kind: str, obj: Any, autogen: AutogenContext) -> str | Literal[False]:
    if kind != "type":
        return False
    if isinstance(obj, Moment):
        name = "Moment()"
    elif obj is Json or obj is Id:
        name = "Json" if obj is Json else "Id"
    else:
        return False
    autogen.imports.add(f"from campaigns.model.base import {name.removesuffix('()')}")
    return name


def _run() -> None:
    engine = open_engine(context.config.attributes["database_url"])
    try:
        with engine.connect() as connection:
            _upgrade(connection)
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=_include,
        render_item=_render,
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    if connection.in_transaction():
        connection.commit()


_run()
