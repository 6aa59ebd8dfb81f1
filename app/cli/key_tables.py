"""How keys and teams look to a person."""

from rich.text import Text

from app.cli import moments
from app.cli.admin_client import Row
from app.cli.tables import Column, names, number, usd


def is_over(key: Row) -> bool:
    """A key that opens nothing any more."""
    return bool(key.get("revoked_at"))


def state(key: Row, now: float) -> Text:
    """`revoked`, `expired` or `active`."""
    if is_over(key):
        return Text("revoked", "red")
    expires = moments.moment(key.get("expires_at"))
    if expires is not None and expires <= now:
        return Text("expired", "yellow")
    return Text("active", "green")


def budget(row: Row) -> str:
    """`$25.00 a month`, `1,000,000 tokens a day`, or both."""
    parts = []
    if row.get("budget_usd") is not None:
        parts.append(usd(row["budget_usd"]))
    if row.get("budget_tokens") is not None:
        parts.append(f"{number(row['budget_tokens'])} tokens")
    if not parts:
        return ""
    period = row.get("budget_period") or "total"
    return f"{' and '.join(parts)} {'in all' if period == 'total' else f'a {period}'}"


def limit_columns() -> list[Column]:
    """What both keys and teams are limited to."""
    return [
        Column("rpm", lambda row: number(row.get("rpm")), right=True, rank=2),
        Column("tpm", lambda row: number(row.get("tpm")), right=True, rank=2),
        Column("at once", lambda row: number(row.get("concurrency")), right=True, rank=3),
        Column("budget", budget, right=True, rank=1),
    ]


def limit_pairs(row: Row) -> list[tuple[str, str | Text]]:
    """The same for one of them."""
    return [
        ("models", names(row.get("models")) or "all"),
        ("rpm", number(row.get("rpm"))),
        ("tpm", number(row.get("tpm"))),
        ("concurrency", number(row.get("concurrency"))),
        ("budget", budget(row)),
        ("max_tokens", number(row.get("max_tokens"))),
        ("labels", names(row.get("labels"))),
    ]


def key_columns(now: float) -> list[Column]:
    """A line of `keys list`. *now*: seconds since 1970."""
    return [
        Column("name", lambda key: str(key["name"])),
        Column("id", lambda key: str(key["id"])),
        Column("prefix", lambda key: str(key.get("prefix", "")), rank=6),
        Column("team", lambda key: str(key.get("team") or ""), rank=4),
        Column("models", lambda key: names(key.get("models")) or "all", rank=5),
        *limit_columns(),
        Column("expires", lambda key: moments.shown(key.get("expires_at"), now), rank=7),
        Column("created", lambda key: moments.shown(key.get("created_at"), now), rank=8),
        Column("state", lambda key: state(key, now)),
    ]


def key_card(key: Row, now: float) -> list[tuple[str, str | Text]]:
    """All of one key. *now*: seconds since 1970."""
    return [
        ("name", str(key["name"])),
        ("id", str(key["id"])),
        ("prefix", str(key.get("prefix", ""))),
        ("state", state(key, now)),
        ("team", str(key.get("team") or "")),
        *limit_pairs(key),
        ("resources", str(key.get("resources") or "")),
        ("native", names(key.get("native"))),
        ("set in", "the file" if key.get("source") == "file" else ""),
        ("created", moments.shown(key.get("created_at"), now)),
        ("expires", moments.shown(key.get("expires_at"), now)),
        ("revoked", moments.shown(key.get("revoked_at"), now)),
    ]


def team_columns(now: float) -> list[Column]:
    """A line of `teams list`. *now*: seconds since 1970."""
    return [
        Column("name", lambda team: str(team["name"])),
        Column("id", lambda team: str(team["id"])),
        Column("models", lambda team: names(team.get("models")) or "all", rank=5),
        *limit_columns(),
        Column("created", lambda team: moments.shown(team.get("created_at"), now), rank=8),
    ]


def team_card(team: Row, now: float) -> list[tuple[str, str | Text]]:
    """All of one team. *now*: seconds since 1970."""
    return [
        ("name", str(team.get("name") or "")),
        ("id", str(team["id"])),
        *limit_pairs(team),
        ("created", moments.shown(team.get("created_at"), now)),
        ("deleted", moments.shown(team.get("deleted_at"), now)),
    ]
