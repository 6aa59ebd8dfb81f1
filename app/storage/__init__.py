"""Rows in, domain objects out: SQLAlchemy Core on SQLite or Postgres; migrations."""
