"""How usage, records, limits and prices look to a person."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from rich.text import Text

from app.cli import moments
from app.cli.admin_client import Row
from app.cli.tables import Column, cost, number, usd

_BAR_CELLS = 12
_PRICES = {
    "input_usd_per_million": "a million in",
    "cached_input_usd_per_million": "a million cached",
    "output_usd_per_million": "a million out",
    "usd_per_request": "a request",
    "usd_per_audio_second": "a second",
    "usd_per_million_characters": "a million characters",
}
_FULL, _NEARLY = 1.0, 0.8


def usage_columns(rows: Sequence[Row], groups: Sequence[str]) -> list[Column]:
    """What it was grouped by, then the sums, each with its total below."""
    first = rows[0] if rows else {}
    named = [name for group in groups for name in (group, f"{group}_id") if name in first]
    is_long = len(rows) > 1
    counted = (
        ("requests", "requests", 0),
        ("input", "input_tokens", 0),
        ("output", "output_tokens", 0),
        ("unpriced", "unpriced_requests", 2),
        ("estimated", "estimated_requests", 1),
    )
    columns = [_name_column(name, n == 0 and is_long) for n, name in enumerate(named)]
    columns += [_sum_column(title, name, rank, rows, number) for title, name, rank in counted]
    columns.insert(len(named) + 3, _sum_column("cost", "cost_usd", 0, rows, cost))
    return columns if is_long else [_untotalled(column) for column in columns]


def _name_column(name: str, is_first: bool) -> Column:
    def cell(row: Row) -> str:
        value = row.get(name)
        return "-" if value in (None, "") else str(value)

    rank = 3 if name.endswith("_id") else 0
    title = name.replace("_", " ")
    return Column(title, cell, rank=rank, total=(lambda: "total") if is_first else None)


def _sum_column(
    title: str, name: str, rank: int, rows: Sequence[Row], write: Callable[[object], str]
) -> Column:
    def total() -> str:
        return write(sum(row.get(name) or 0 for row in rows))

    return Column(title, lambda row: write(row.get(name)), right=True, rank=rank, total=total)


def _untotalled(column: Column) -> Column:
    return Column(column.title, column.cell, column.right, column.rank)


def record_columns(now: float) -> list[Column]:
    """A line of `records`. *now*: seconds since 1970."""
    return [
        Column("when", lambda row: moments.shown(row.get("created_at"), now)),
        Column("id", lambda row: str(row["id"]), rank=5),
        Column("key", lambda row: _said(row, "key"), rank=1),
        Column("team", lambda row: _said(row, "team"), rank=7),
        Column("model", lambda row: _said(row, "model")),
        Column("upstream", lambda row: _said(row, "upstream"), rank=6),
        Column("status", lambda row: _said(row, "status"), right=True, rank=3),
        Column("outcome", _outcome),
        Column("input", lambda row: number(row.get("input_tokens")), right=True, rank=2),
        Column("output", lambda row: number(row.get("output_tokens")), right=True, rank=2),
        Column("cost", lambda row: cost(row.get("cost_usd")), right=True),
        Column("seconds", lambda row: _seconds(row.get("duration_seconds")), right=True, rank=4),
        Column("ttft", lambda row: _seconds(row.get("ttft_seconds")), right=True, rank=8),
    ]


def _said(row: Row, *names: str) -> str:
    return next((str(row[name]) for name in names if row.get(name) not in (None, "")), "")


def _outcome(row: Row) -> Text:
    outcome = _said(row, "outcome")
    colours = {"complete": "green", "client_gone": "yellow", "shutdown": "yellow"}
    return Text(outcome, colours.get(outcome, "red"))


def _seconds(value: object) -> str:
    return f"{value:,.3f}" if isinstance(value, int | float | Decimal) else ""


def standings(scopes: Sequence[Row]) -> list[Row]:
    """A row for each limit of each key or team, from a row for each of them."""
    return [
        {**standing, "name": scope["name"], "id": scope["id"], "kind": kind}
        for scope in scopes
        for kind, standing in scope["limits"].items()
    ]


def limit_columns(scope: str, now: float) -> list[Column]:
    """A line of `limits`. *scope*: `key` or `team`. *now*: seconds since 1970."""

    def amount(name: str) -> Callable[[Row], str]:
        return lambda row: (usd if row["kind"] == "budget_usd" else number)(row[name])

    return [
        Column(scope, lambda row: str(row["name"])),
        Column("id", lambda row: str(row["id"]), rank=3),
        Column("of its", lambda row: str(row["kind"])),
        Column("limit", amount("limit"), right=True),
        Column("used", amount("used"), right=True),
        Column("left", amount("remaining"), right=True),
        Column("", _bar, rank=1),
        Column("all free", lambda row: moments.shown(row["reset_at"], now), rank=2),
    ]


def _bar(row: Row) -> Text:
    used, allowed = float(row["used"]), float(row["limit"])
    share = min(used / allowed, 1.0) if allowed else 1.0
    filled = round(share * _BAR_CELLS)
    colour = "red" if share >= _FULL else "yellow" if share >= _NEARLY else "green"
    return Text("█" * filled, colour).append("░" * (_BAR_CELLS - filled), "dim")


def price_columns(rows: Sequence[Row]) -> list[Column]:
    """The model, and a column for each kind of price that one has."""
    kinds = [kind for kind in _PRICES if any(row[kind] for row in rows)]
    return [Column("model", lambda row: str(row["id"])), *map(_price_column, kinds)]


def _price_column(kind: str) -> Column:
    return Column(_PRICES[kind], lambda row: usd(row[kind]), right=True)
