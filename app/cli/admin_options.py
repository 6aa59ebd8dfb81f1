"""The options of the commands that administer a gateway: named as the fields of the admin API (architecture 5)."""

import math
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app.cli import moments
from app.cli.admin_client import Row

_WHERE = "Where"
_LIMITS = "Limits"
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the admin API's JSON instead of a table.")
]
ClearOption = Annotated[
    list[str] | None,
    typer.Option("--clear", metavar="FIELD", help="Take this field away; repeat for more."),
]


class Native(StrEnum):
    """A class of an upstream's own routes (upstreams N12)."""

    USE = "use"
    READ = "read"
    MANAGE = "manage"


@dataclass(frozen=True, slots=True)
class Access:
    """The way to the admin API: a running gateway, or without *url* the storage of the configuration."""

    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            rich_help_panel=_WHERE,
            help="A running gateway, such as http://127.0.0.1:8080; else the configured storage itself.",
        ),
    ] = None
    admin_key: Annotated[
        str | None,
        typer.Option(
            "--admin-key",
            metavar="KEY",
            envvar="MINDGATE_ADMIN_KEY",
            rich_help_panel=_WHERE,
            help="For --url. Better in the variable: other users of this machine see an option.",
        ),
    ] = None
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            rich_help_panel=_WHERE,
            help="The YAML file; else MINDGATE_CONFIG, else config/mindgate.yaml.",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class LimitFields:
    """What keys and teams may both be limited to; None was not said."""

    rpm: Annotated[
        int | None, typer.Option("--rpm", rich_help_panel=_LIMITS, help="Requests a minute.")
    ] = None
    tpm: Annotated[
        int | None, typer.Option("--tpm", rich_help_panel=_LIMITS, help="Tokens a minute.")
    ] = None
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", rich_help_panel=_LIMITS, help="Requests at one time."),
    ] = None
    budget_usd: Annotated[
        float | None,
        typer.Option("--budget-usd", rich_help_panel=_LIMITS, help="US dollars a period."),
    ] = None
    budget_tokens: Annotated[
        int | None,
        typer.Option("--budget-tokens", rich_help_panel=_LIMITS, help="Tokens a period."),
    ] = None
    budget_period: Annotated[
        Literal["day", "week", "month", "total"] | None,
        typer.Option("--budget-period", rich_help_panel=_LIMITS, help="What budgets count over."),
    ] = None
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens", rich_help_panel=_LIMITS, help="Output tokens that one request may ask."
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class SharedFields:
    """What else both have."""

    models: Annotated[
        list[str] | None,
        typer.Option(
            "--models",
            metavar="PATTERN",
            help="A model that may be used; repeat for more. Without it: all.",
        ),
    ] = None
    labels: Annotated[
        list[str] | None,
        typer.Option("--labels", metavar="NAME=TEXT", help="A label; repeat for more."),
    ] = None


@dataclass(frozen=True, slots=True)
class KeyFields:
    """What only keys have."""

    team: Annotated[str | None, typer.Option("--team", help="Its team: name or id.")] = None
    expires_at: Annotated[
        str | None,
        typer.Option("--expires-at", metavar="TIME", help="2026-12-31, a time in UTC, or 30d."),
    ] = None
    resources: Annotated[
        Literal["own", "all"] | None,
        typer.Option("--resources", help="Whose files, assistants and so on it may use."),
    ] = None
    native: Annotated[
        list[Native] | None,
        typer.Option("--native", help="Routes of an upstream's own that it may call; repeat."),
    ] = None


@dataclass(frozen=True, slots=True)
class Window:
    """Which records: between two moments, and of whom."""

    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="2026-11-01, a time in UTC, or 7d."),
    ] = None
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="The same; not included.")
    ] = None
    key: Annotated[str | None, typer.Option("--key", metavar="ID", help="Of this key alone.")] = (
        None
    )
    team: Annotated[
        str | None, typer.Option("--team", metavar="ID", help="Of this team alone.")
    ] = None
    model: Annotated[str | None, typer.Option("--model", help="Of this model alone.")] = None
    upstream: Annotated[str | None, typer.Option("--upstream", help="Of this upstream alone.")] = (
        None
    )

    def query(self, now: float) -> dict[str, str]:
        """What was said of it, as the admin API's query. Raises typer.BadParameter."""
        said = {name: getattr(self, name) for name in ("key", "team", "model", "upstream")}
        query = {name: value for name, value in said.items() if value is not None}
        for name in ("since", "until"):
            if (text := getattr(self, name)) is not None:
                query[name] = moments.iso(moments.read_past(text, f"--{name}", now))
        return query


def body_of(*groups: Any, now: float) -> Row:
    """The fields that were said, as the admin API takes them. Raises typer.BadParameter."""
    said = {
        field.name: value
        for group in groups
        for field in fields(group)
        if (value := getattr(group, field.name)) not in (None, [])
    }
    if not math.isfinite(said.get("budget_usd", 0)):
        raise typer.BadParameter("write it as 25 or 0.50", param_hint="--budget-usd")
    if "labels" in said:
        said["labels"] = dict(_label(text) for text in said["labels"])
    if "expires_at" in said:
        when = moments.read_future(said["expires_at"], "--expires-at", now)
        said["expires_at"] = moments.iso(when)
    return said


def _cleared(names: list[str] | None, groups: tuple[Any, ...]) -> Row:
    """The fields that `--clear` names, each as null. Raises typer.BadParameter for one that there is not."""
    known = [field.name for group in groups for field in fields(group)]
    found = {text.strip().replace("-", "_"): text for text in names or []}
    for name, text in found.items():
        if name not in known:
            message = f"{text!r} is not one of {', '.join(known)}"
            raise typer.BadParameter(message, param_hint="--clear")
    return dict.fromkeys(found)


def changes_of(*groups: Any, name: str | None, clear: list[str] | None) -> Row:
    """The body of a change: what was said, and null for what is cleared. Raises typer.BadParameter for none at all."""
    body = {**_cleared(clear, groups), **body_of(*groups, now=moments.now_seconds())}
    if name is not None:
        body["name"] = name
    if not body:
        raise typer.BadParameter("say what to change, such as --rpm 60 or --clear rpm")
    return body


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} is not NAME=TEXT", param_hint="--labels")
    return name, value
