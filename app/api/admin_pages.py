"""Pages of rows as the admin API sends them, and the names that stand in them for ids."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from fastapi.responses import Response

from app.api.admin_parts import AdminParts
from app.api.admin_values import encoded
from app.domain.errors import ObjectNotFound
from app.domain.keys import Team, VirtualKey

Row = TypeVar("Row")
Shown = Mapping[str, Any]


class Names:
    """The names of keys and teams by id, each looked up once. Make one for each request."""

    def __init__(self, parts: AdminParts) -> None:
        self._parts = parts
        self._keys: dict[str, str] = {}
        self._teams: dict[str, str] = {}

    async def key(self, key_id: str | None) -> str | None:
        """The key's name; its id where there is no such key any more; None for none."""
        return await _named(key_id, self._keys, self._parts.keys.get)

    async def team(self, team_id: str | None) -> str | None:
        """The team's name, likewise."""
        return await _named(team_id, self._teams, self._parts.teams.get)


async def _named(
    known_as: str | None,
    known: dict[str, str],
    get: Callable[[str], Awaitable[VirtualKey | Team]],
) -> str | None:
    if not known_as:
        return None
    if known_as not in known:
        try:
            known[known_as] = (await get(known_as)).name
        except ObjectNotFound:
            known[known_as] = known_as
    return known[known_as]


def answered(shown: Shown, status: int = 200) -> Response:
    """One object."""
    return Response(encoded(shown), status_code=status, media_type="application/json")


async def page_of(
    rows: Sequence[Row],
    limit: int,
    id_of: Callable[[Row], str],
    show: Callable[[Row], Awaitable[Shown]],
) -> Response:
    """The first *limit* of *rows*, which hold one more where there is a next page."""
    shown = rows[:limit]
    return answered(
        {
            "object": "list",
            "data": [await show(row) for row in shown],
            "has_more": len(rows) > limit,
            "last_id": id_of(shown[-1]) if shown else None,
        }
    )
