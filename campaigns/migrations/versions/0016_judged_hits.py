"""hits that wait for their verdict are found by one index, those of a message by another once they are judged

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

COLUMNS = ["run_id", "seq", "id"]


def upgrade() -> None:
    op.drop_index("ix_hits_run_id_seq_id", table_name="hits")
    op.drop_index("ix_hits_judged", table_name="hits")
    _create("ix_hits_waiting", ["id"], "0", "false")
    _create("ix_hits_run_id_seq_id", COLUMNS, "1", "true")


def downgrade() -> None:
    op.drop_index("ix_hits_run_id_seq_id", table_name="hits")
    op.drop_index("ix_hits_waiting", table_name="hits")
    op.create_index("ix_hits_judged", "hits", ["judged", "id"])
    op.create_index("ix_hits_run_id_seq_id", "hits", COLUMNS)


def _create(name: str, columns: list[str], sqlite: str, postgres: str) -> None:
    op.create_index(
        name,
        "hits",
        columns,
        sqlite_where=sa.text(f"judged IS {sqlite}"),
        postgresql_where=sa.text(f"judged IS {postgres}"),
    )
