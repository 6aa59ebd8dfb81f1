"""Whose the objects are that clients made at upstreams."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """The table `objects` is there."""
    op.create_table(
        "objects",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("object_id", sa.String(512), nullable=False),
        sa.Column("upstream", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("team_id", sa.String(64), nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("gone_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("exchange_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("kind", "object_id", "upstream"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_objects_models",
        "objects",
        ["made_at_ms"],
        unique=False,
        sqlite_where=sa.text("kind = 'model' AND gone_at_ms IS NULL"),
        postgresql_where=sa.text("kind = 'model' AND gone_at_ms IS NULL"),
    )
