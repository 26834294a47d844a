"""Alembic's entry: migrates the store named by the caller (see campaigns/wiring.py)."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from campaigns.model import metadata
from campaigns.model.base import Id, Json, Moment
from campaigns.wiring import open_engine


def _include(obj: Any, _name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:  # noqa: FBT001 - alembic's shape
    return not (kind == "table" and "view" in obj.info)


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
    with engine.connect() as connection:
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
    engine.dispose()


_run()
