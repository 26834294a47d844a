"""find what is due of a lane, and what a broker holds

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_chunks_state_lane_run_id_number", "chunks", ["state", "lane", "run_id", "number"])
    op.create_index("ix_chunks_published_until", "chunks", ["published_until"])


def downgrade() -> None:
    op.drop_index("ix_chunks_published_until", table_name="chunks")
    op.drop_index("ix_chunks_state_lane_run_id_number", table_name="chunks")
