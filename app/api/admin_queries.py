"""What may stand behind the `?` of an admin call; anything else is refused: a misspelt filter never shows all."""

from typing import Annotated, Any, ClassVar, Literal, Self

from fastapi import Path
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.api.admin_bodies import Strict
from app.api.admin_values import Moment
from app.domain.outcome import Outcome

GroupName = Literal["key", "team", "model", "upstream", "hour", "day"]

MAX_PAGE = 100  # reliability S22
_PAGE = 20
_AFTER = "The `last_id` of the page before."
_READABLE = r"^[^\x00-\x1f\x7f]+$"
_MOST_SQL_INTEGER = 2**63 - 1


Id = Annotated[
    str,
    Path(description="Its id.", min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$"),
]
Filter = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=_READABLE)]
PageSize = Annotated[int, Field(ge=1, le=MAX_PAGE, description="Rows a page.")]
Cursor = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255, pattern=_READABLE),
    Field(description=_AFTER),
]
Offset = Annotated[int, Field(ge=0, le=_MOST_SQL_INTEGER, description=_AFTER)]


def _split(value: Any) -> Any:
    """`group_by=key,model` is `group_by=key&group_by=model`."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return value
    return [name.strip() for one in value for name in one.split(",")]


def _each_once(names: list[GroupName]) -> list[GroupName]:
    if len(set(names)) != len(names):
        raise PydanticCustomError("twice", "expected each name once")
    return names


class _Query(Strict):
    model_config = ConfigDict(extra="forbid", strict=False)  # all of it is text
    needs_a_field: ClassVar[bool] = False


class PageQuery(_Query):
    """One page of a list."""

    limit: PageSize = _PAGE
    after: Cursor | None = None


class KeysQuery(PageQuery):
    """Keys."""

    team: Filter | None = Field(None, description="Only of this team: its id or name.")


class LimitsQuery(PageQuery):
    """Whose limits."""

    scope: Literal["key", "team"] = Field("key", description="Of keys, or of teams.")


class AuditQuery(_Query):
    """Changes."""

    limit: PageSize = _PAGE
    after: Offset | None = None


class _LedgerQuery(_Query):
    limit: PageSize = _PAGE
    since: Moment | None = Field(
        None,
        description="From then on, a date or a time of ISO 8601 in UTC.",
        examples=["2026-01-01"],
    )
    until: Moment | None = Field(None, description="Before then, likewise.")
    key: Filter | None = Field(None, description="Only of this key: its id.")
    team: Filter | None = Field(None, description="Only of this team: its id or name.")
    model: Filter | None = Field(None, description="Only of this model.")
    upstream: Filter | None = Field(None, description="Only of this upstream.")

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        if self.since is not None and self.until is not None and self.since > self.until:
            raise PydanticCustomError(
                "empty_period", "expected a time after `since`", {"param": "until"}
            )
        return self


class UsageQuery(_LedgerQuery):
    """Sums of what was used."""

    after: Offset | None = None
    group_by: Annotated[list[GroupName], BeforeValidator(_split), AfterValidator(_each_once)] = (
        Field(
            default_factory=list,
            description="One row for each of these, or each combination; several with commas or repeated. "
            "None: one row in all.",
        )
    )
    format: Literal["json", "csv"] = Field(
        "json", description="`csv` gives all rows in one answer, from `after` on."
    )


class RecordsQuery(_LedgerQuery):
    """Single exchanges."""

    after: Cursor | None = None
    outcome: Outcome | None = Field(None, description="Only those that ended so.")
