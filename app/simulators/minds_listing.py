"""Minds as state, and how each generation lists and changes them (N5, N6, X12)."""

from __future__ import annotations

from typing import Any

from app.simulators.dialect import Call, Route
from app.simulators.keys import CREATED
from app.simulators.minds_sources import Sources
from app.simulators.replies import Json, Problem, RefusalError, Reply, json_reply

PROJECT = "mindsdb"
SEED_MINDS = ("sales_mind", "support_mind")
NUMBERED = tuple(f"mind_{number:03d}" for number in range(3, 251))  # 250 Minds with those
ALIASES = ("latest:sonnet", "latest:gpt")
PAGE_ROWS = 100
RFC_1123 = "Wed, 07 Aug 2024 10:50:31 GMT"
ISO_8601 = "2024-08-07T10:50:31Z"
DESCRIPTION = "A simulated Mind: it echoes what it is asked."
CHANGEABLE = ("name", "datasources", "model_name", "provider", "parameters")


class Minds:
    """The Minds of one account. The project lists only those that were built by hand."""

    def __init__(self, sources: Sources) -> None:
        """Begin with 250. *sources* is where the data sources are that a Mind may have."""
        self._sources = sources
        self._rows: dict[str, Json] = {}
        for name in (*SEED_MINDS, *NUMBERED):
            self._rows[name] = _new_row(name)

    def has(self, name: str) -> bool:
        """Whether it is here, spelled just so."""
        return name in self._rows

    def get(self, name: str) -> Json:
        """The row itself. Raises RefusalError 404."""
        if name not in self._rows:
            raise RefusalError(not_found(name, 404))
        return self._rows[name]

    def add(self, body: Json) -> Json:
        """The row of a Mind that is new. Raises RefusalError 409 or 422."""
        name = body.get("name")
        if not isinstance(name, str) or not name:
            raise RefusalError(Problem(422, "Field required", "invalid_request", loc=("name",)))
        if name in self._rows:
            raise RefusalError(Problem(409, f"Mind '{name}' already exists", ""))
        self._rows[name] = _new_row(name)
        return self.change(name, body)

    def change(self, name: str, body: Json) -> Json:
        """The row, with what *body* says. Raises RefusalError."""
        row = self.get(name)
        changes = {key: body[key] for key in CHANGEABLE if key in body}
        if "datasources" in changes:
            changes["datasources"] = [self._source_name(one) for one in changes["datasources"]]
        renamed = changes.get("name", name)
        if renamed != name and renamed in self._rows:
            raise RefusalError(Problem(409, f"Mind '{renamed}' already exists", ""))
        row |= changes
        if renamed != name:
            self._rows[renamed] = self._rows.pop(name)
        return row

    def remove(self, name: str) -> None:
        """The Mind is gone. Raises RefusalError 404."""
        self.get(name)
        del self._rows[name]

    def attach(self, name: str, source: Any) -> Json:
        """The Mind has that data source. Raises RefusalError 404."""
        row, wanted = self.get(name), self._source_name(source)
        if wanted not in row["datasources"]:
            row["datasources"] = [*row["datasources"], wanted]
        return row

    def detach(self, name: str, source: str) -> Json:
        """The Mind has it no more. Raises RefusalError 404."""
        row = self.get(name)
        if source not in row["datasources"]:
            raise RefusalError(Problem(404, f"Datasource '{source}' not found", ""))
        row["datasources"] = [one for one in row["datasources"] if one != source]
        return row

    def built(self) -> list[Json]:
        """Those of the project."""
        return [row for name, row in self._rows.items() if name not in NUMBERED]

    def all(self) -> list[Json]:
        """All of them."""
        return list(self._rows.values())

    def _source_name(self, source: Any) -> str:
        """Of `"ds"` or `{"name", "tables"}`."""
        name = source.get("name") if isinstance(source, dict) else source
        return str(self._sources.datasources.get(name)["name"])


def not_found(name: str, status: int) -> Problem:
    """The words for an unknown Mind."""
    return Problem(status, f"Mind '{name}' not found", "")


def routes(minds: Minds) -> tuple[Route, ...]:
    """The listings of all generations, and the changes."""
    return (
        *_project_routes(minds),
        *_paged_routes(minds),
        Route("GET", ("v1", "models"), _alias_list),
    )


def add_slash(call: Call) -> Reply:
    """307 to the collection with its slash, absolute, as FastAPI answers."""
    path, _, query = call.request.target.partition("?")
    location = f"http://{call.request.header('host')}{path}/{'?' if query else ''}{query}"
    return Reply(status=307, headers=(("location", location),))


def _project_routes(minds: Minds) -> tuple[Route, ...]:
    """The generation of the seed: bare rows, RFC 1123 dates, names as they are."""

    def listed(call: Call) -> Reply:
        _check_project(call)
        return json_reply([_project_row(row) for row in minds.built()])

    def found(call: Call) -> Reply:
        _check_project(call)
        return json_reply(_project_row(minds.get(call.model)))

    def added(call: Call) -> Reply:
        _check_project(call)
        return json_reply(_project_row(minds.add(call.json())))

    def changed(call: Call) -> Reply:
        _check_project(call)
        return json_reply(_project_row(minds.change(call.arguments[1], call.json())))

    def removed(call: Call) -> Reply:
        _check_project(call)
        minds.remove(call.arguments[1])
        return json_reply({})

    def attached(call: Call) -> Reply:
        _check_project(call)
        return json_reply(_project_row(minds.attach(call.arguments[1], call.json())))

    def detached(call: Call) -> Reply:
        _check_project(call)
        return json_reply(_project_row(minds.detach(call.arguments[1], call.arguments[2])))

    def check(call: Call) -> None:
        minds.get(call.model)

    path = ("api", "projects", "{}", "minds")
    one = (*path, "{}")
    return (
        Route("GET", path, listed),
        Route("POST", path, added),
        Route("GET", one, found, "path", check),
        Route("PUT", one, changed),
        Route("PATCH", one, changed),
        Route("DELETE", one, removed),
        Route("POST", (*one, "datasources"), attached),
        Route("DELETE", (*one, "datasources", "{}"), detached),
    )


def _paged_routes(minds: Minds) -> tuple[Route, ...]:
    """The generation of 1.9: pages, ISO dates, lower-cased names."""

    def listed(call: Call) -> Reply:
        limit = _whole(call, "limit", PAGE_ROWS, range(1, PAGE_ROWS + 1))
        offset = _whole(call, "offset", 0, range(1_000_000))
        rows = minds.all()
        page = [_paged_row(row) for row in rows[offset : offset + limit]]
        return json_reply({"minds": page, "total": len(rows)})

    def found(call: Call) -> Reply:
        return json_reply(_paged_row(minds.get(call.model.lower())))

    def added(call: Call) -> Reply:
        body = call.json()
        if isinstance(body.get("name"), str):
            body["name"] = body["name"].lower()
        return json_reply(_paged_row(minds.add(body)), 201)

    def changed(call: Call) -> Reply:
        return json_reply(_paged_row(minds.change(call.arguments[0].lower(), call.json())))

    def removed(call: Call) -> Reply:
        minds.remove(call.arguments[0].lower())
        return Reply(status=204)

    def attached(call: Call) -> Reply:
        return json_reply(_paged_row(minds.attach(call.arguments[0].lower(), call.json())))

    def detached(call: Call) -> Reply:
        return json_reply(_paged_row(minds.detach(call.arguments[0].lower(), call.arguments[1])))

    def check(call: Call) -> None:
        minds.get(call.model.lower())

    path = ("api", "v1", "minds")
    one = (*path, "{}")
    return (
        Route("GET", path, add_slash),
        Route("POST", path, add_slash),
        Route("GET", (*path, ""), listed),
        Route("POST", (*path, ""), added),
        Route("GET", one, found, "path", check),
        Route("PUT", one, changed),
        Route("PATCH", one, changed),
        Route("DELETE", one, removed),
        Route("POST", (*one, "datasources"), attached),
        Route("DELETE", (*one, "datasources", "{}"), detached),
    )


def _new_row(name: str) -> Json:
    return {
        "name": name,
        "model_name": "gpt-4o",
        "provider": "openai",
        "parameters": {"prompt_template": DESCRIPTION},
        "datasources": [],
    }


def _check_project(call: Call) -> None:
    if call.arguments[0] != PROJECT:
        raise RefusalError(Problem(404, f"Project '{call.arguments[0]}' not found", ""))


def _project_row(row: Json) -> Json:
    return {**row, "created_at": RFC_1123, "updated_at": RFC_1123}


def _paged_row(row: Json) -> Json:
    return {
        "name": row["name"],
        "description": DESCRIPTION,
        "datasources": row["datasources"],
        "created_at": ISO_8601,
        "modified_at": ISO_8601,
    }


def _whole(call: Call, name: str, default: int, allowed: range) -> int:
    text = call.parameter(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or int(text) not in allowed:
        bounds = f"Input should be between {allowed[0]} and {allowed[-1]}"
        raise RefusalError(Problem(422, bounds, "invalid_request", loc=("query", name)))
    return int(text)


def _alias_list(call: Call) -> Reply:
    rows = [_alias_row(name) for name in ALIASES]
    rows.append(_alias_row("latest:embed") | {"embedding": True})
    rows.append(_alias_row("latest:off") | {"enabled": False})
    return json_reply({"object": "list", "data": rows})


def _alias_row(name: str) -> Json:
    return {
        "id": name,
        "object": "model",
        "created": CREATED["minds"],
        "owned_by": "simulated",
        "embedding": False,
        "enabled": True,
    }
