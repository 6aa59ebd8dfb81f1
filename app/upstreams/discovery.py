"""
An upstream's model list, read into entries: bytes in, entries out (upstreams 4.5, contract K1, K3).

A row that cannot be used is left out, an odd field gets a plain value; only a body that is no list at all is an error.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeGuard

import msgspec

_LONGEST_NAME = 512
_LARGEST_DATE = 2**53 - 1  # what every client can hold in an integer

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DiscoveredModel:
    """A model an upstream says it has. *created*: seconds since 1970, 0 when it does not say."""

    id: str
    created: int
    owned_by: str


@dataclass(frozen=True, slots=True)
class _Form:
    """How a dialect writes its list: where the rows are, where a row's name is, and which rows are models for chat."""

    lists: tuple[str, ...] = ("data",)
    names: tuple[str, ...] = ("id",)
    dates: tuple[str, ...] = ("created", "created_at")
    owner: str | None = None
    is_listed: Callable[[Row], bool] = lambda row: True


def _is_usable_mind(row: Row) -> bool:
    return row.get("embedding") is not True and row.get("enabled") is not False


_OPENAI = _Form()
_MINDS = _Form(
    lists=("minds", "data"),
    names=("name", "id"),
    dates=("created_at", "created"),
    owner="minds",
    is_listed=_is_usable_mind,
)
_FORMS = {"minds": _MINDS}


def parse_models(body: bytes, *, dialect: str, upstream: str) -> tuple[DiscoveredModel, ...]:
    """The models that *body* lists, each id once, in its order.

    Raises ValueError, with a plain reason that quotes nothing of the body, for what is no list of models.
    """
    form = _FORMS.get(dialect, _OPENAI)
    rows = [row for row in _rows(_decoded(body), form) if isinstance(row, dict)]
    listed = [row for row in rows if form.is_listed(row)]
    found: dict[str, DiscoveredModel] = {}
    for row in listed:
        model = _model(row, form, upstream)
        if model is not None:
            found.setdefault(model.id, model)
    if listed and not found:
        raise ValueError("no entry of the list has a name")
    return tuple(found.values())


def parse_model(body: bytes, *, dialect: str, upstream: str) -> DiscoveredModel:
    """The one model, or Mind, that *body* describes. Raises ValueError as `parse_models` does."""
    row = _decoded(body)
    if not isinstance(row, dict):
        raise ValueError("the answer is no JSON object")
    model = _model(row, _FORMS.get(dialect, _OPENAI), upstream)
    if model is None:
        raise ValueError("the answer has no name of a model")
    return model


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise ValueError("the answer is no JSON") from None


def _rows(value: Any, form: _Form) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        for name in form.lists:
            if isinstance(value.get(name), list):
                return list(value[name])
    raise ValueError(f"the answer has no list under '{form.lists[0]}'")


def _model(row: Row, form: _Form, upstream: str) -> DiscoveredModel | None:
    name = next(filter(_is_name, (row.get(key) for key in form.names)), None)
    if name is None:
        return None
    owner = form.owner or row.get("owned_by")
    return DiscoveredModel(
        id=name,
        created=_created(row.get(key) for key in form.dates),
        owned_by=owner if _is_name(owner) else upstream,
    )


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()


# --- dates ----------------------------------------------------------------------------------------------------------


def _created(values: Iterable[Any]) -> int:
    """The first value that is a date, in whole seconds; 0 when none is."""
    return next((date for value in values if (date := _seconds(value))), 0)


def _seconds(value: Any) -> int:
    if isinstance(value, str):
        return next((date for read in _DATE_FORMS if (date := _attempt(read, value.strip()))), 0)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if 0 < value <= _LARGEST_DATE else 0
    return 0


def _attempt(read: Callable[[str], float], text: str) -> int:
    try:
        seconds = read(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0
    return int(seconds) if 0 < seconds <= _LARGEST_DATE else 0


def _iso(text: str) -> float:
    return _timestamp(datetime.fromisoformat(text))


def _rfc_1123(text: str) -> float:
    return _timestamp(parsedate_to_datetime(text))


def _timestamp(moment: datetime) -> float:
    """A date without a zone is read as UTC: the services run in it."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


_DATE_FORMS: tuple[Callable[[str], float], ...] = (float, _iso, _rfc_1123)
