"""What scripts read on standard output: the admin API's JSON as it came, CSV, and a secret alone on its line."""

import json
from collections.abc import Sequence
from decimal import Decimal

import typer

from app.api.admin_csv import csv_lines
from app.cli.admin_client import Row
from app.cli.text import plain


def show_json(answer: str | Row) -> None:
    """JSON on one line: as it came, or of several pages put together."""
    if not isinstance(answer, str):
        answer = json.dumps(answer, ensure_ascii=False, default=float)
    typer.echo(answer)


def show_csv(rows: Sequence[Row], *, columns: Sequence[str], head: bool) -> None:
    """*rows* as the admin API writes CSV; *head*: the names of *columns* first."""
    cells = [[_written(row.get(name)) for name in columns] for row in rows]
    typer.echo(csv_lines([columns, *cells] if head else cells), nl=False)


def _written(value: object) -> object:
    return f"{value:f}" if isinstance(value, Decimal) else value


def show_secret(secret: str, advice: str) -> None:
    """*secret* alone on standard output, so that `KEY=$(mindgate keys create ci)` is the key; *advice* beside it."""
    typer.echo(plain(advice), err=True)
    typer.echo(secret)
