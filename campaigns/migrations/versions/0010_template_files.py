"""files that go with a template's mails

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "file_contents",
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of the data, in hex"),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_file_contents")),
        comment="writer: records/template_files",
    )
    op.create_table(
        "template_files",
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column(
            "content_id",
            sa.String(length=130),
            comment="what cid: shows within the mail; null: attached",
        ),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["template_versions.id"],
            name=op.f("fk_template_files_version_id_template_versions"),
        ),
        sa.ForeignKeyConstraint(
            ["digest"], ["file_contents.digest"], name=op.f("fk_template_files_digest_file_contents")
        ),
        sa.PrimaryKeyConstraint("version_id", "place", name=op.f("pk_template_files")),
        comment="writer: records/template_files",
    )


def downgrade() -> None:
    op.drop_table("template_files")
    op.drop_table("file_contents")
