"""
Every table, as the newest migration leaves it (tests/storage compares the two).

Money is nano-dollars, times are milliseconds since 1970, UTC, all as 64-bit integers. A column that a query looks by
has an index or is the front of a key; there are no others, since each costs every record.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

# One row: the number of changes to keys and teams so far. A change takes this row's lock first, so that changes, and
# with them the links of the audit log, stand in one order; who polls it learns that there is something new (S11).
changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("version", BigInteger, nullable=False),
    Column("pepper_check", String(64), nullable=False),  # "" until the first start
    Column(
        "head", String(64), nullable=False
    ),  # of the audit log (`audit_rows.head_part`); "" until the first start
)

_LIMITS = (
    ("rpm", BigInteger),
    ("tpm", BigInteger),
    ("concurrency", BigInteger),
    ("budget_nano", BigInteger),
    ("budget_tokens", BigInteger),
    ("max_tokens", BigInteger),
)


def _limit_columns() -> list[Column[int]]:
    """What keys and teams may both have; None is no limit."""
    return [Column(name, kind, nullable=True) for name, kind in _LIMITS]


teams = Table(
    "teams",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("models", Text, nullable=False),  # JSON: a list of patterns
    *_limit_columns(),
    Column("budget_period", String(8), nullable=False),
    Column("labels", Text, nullable=False),  # JSON: an object of texts
    Column("created_at_ms", BigInteger, nullable=False),
    Column("deleted_at_ms", BigInteger, nullable=True),
    Column("version", BigInteger, nullable=False, index=True),  # of `changes`, when it last changed
    # A deleted team's name is free again: the index holds living rows alone. Which those are, the migration says, for a
    # `postgresql_where` here would load a dialect that most gateways never use, a thirtieth of all that they load.
    Index("ix_teams_name_live", "name", unique=True),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("prefix", String(32), nullable=False),
    Column("team_id", String(64), nullable=True, index=True),
    Column("models", Text, nullable=False),
    *_limit_columns(),
    Column("budget_period", String(8), nullable=False),
    Column("resources", String(8), nullable=False),
    Column("native", Text, nullable=False),  # JSON: a list of classes
    Column("labels", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=True),
    Column("revoked_at_ms", BigInteger, nullable=True),
    Column("source", String(8), nullable=False),  # admin, file
    # HMAC-SHA-256 of the key, and of the one before it while that is still valid (reliability S9). None: a file's key.
    Column("digest", LargeBinary(32), nullable=True),
    Column("old_digest", LargeBinary(32), nullable=True),
    Column("old_until_ms", BigInteger, nullable=True),
    Column("version", BigInteger, nullable=False, index=True),
    Index("ix_keys_name_live", "name", unique=True),
)

# Only ever added to (reliability S26). *seq* is the change's number; `changes.head` seals where the log ends.
audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("address", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    Column("target", String(64), nullable=False),
    Column("before", Text, nullable=False),  # JSON, "null" where there was nothing
    Column("after", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

# `app.domain.ledger.UsageRecord`. Ids begin with the time, so the newest stand together at the end.
records = Table(
    "records",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("team_id", String(64), nullable=False),
    Column("model", Text, nullable=False),
    Column("upstream", String(64), nullable=False),
    Column("label", String(512), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cached_input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_nano", BigInteger, nullable=False),
    # JSON: the other fields as an array in their order (`record_rows.DETAILS`). No query looks by them.
    Column("details", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Sums of records over whole hours, days and months, added to in the transaction that inserts the records, and kept when
# retention takes the records away (reliability J7, Q6). A period is put together from the largest grains that fit.
usage_sums = Table(
    "usage_sums",
    metadata,
    Column("grain", String(8), primary_key=True),  # hour, day, month
    Column("start_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("key_id", String(64), primary_key=True),
    Column("team_id", String(64), primary_key=True),
    Column("upstream", String(64), primary_key=True),
    Column("model", String(512), primary_key=True),  # the records' label
    Column("requests", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cached_input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_nano", BigInteger, nullable=False),
    Column("unpriced_requests", BigInteger, nullable=False),
    Column("estimated_requests", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What clients made at upstreams, and whose it is: `app.domain.stored_objects.Claim` (reliability S16). The key's order
# serves the question that is asked most, where an id exists. Rows stay when the object is gone: a claim that a killed
# process left behind must not bring it back.
objects = Table(
    "objects",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("object_id", String(512), primary_key=True),
    Column("upstream", String(64), primary_key=True),
    Column("key_id", String(64), nullable=False),
    Column("team_id", String(64), nullable=False),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("gone_at_ms", BigInteger, nullable=True),
    Column("exchange_id", String(64), nullable=False),
    # Of live models, as the migration says: read whole at each start, and looked at every other second.
    Index("ix_objects_models", "made_at_ms"),
    sqlite_with_rowid=False,
)
