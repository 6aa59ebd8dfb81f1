"""How Minds are listed in each generation (X12): by project, by page, and as models."""

from __future__ import annotations

from app.simulators.dialect import Call, Route
from app.simulators.keys import CREATED, PREFIXES
from app.simulators.replies import Json, Problem, RefusalError, Reply, json_reply

PROJECT = "mindsdb"
SEED_MINDS = ("sales_mind", "support_mind")
MINDS = (*SEED_MINDS, *(f"mind_{number:03d}" for number in range(3, 251)))  # 250 Minds
ALIASES = ("latest:sonnet", "latest:gpt")
PAGE_ROWS = 100
RFC_1123 = "Wed, 07 Aug 2024 10:50:31 GMT"
ISO_8601 = "2024-08-07T10:50:31Z"
DESCRIPTION = "A simulated Mind: it echoes what it is asked."


def routes() -> tuple[Route, ...]:
    """The listings of all generations."""
    project = ("api", "projects", "{}", "minds")
    paged = ("api", "v1", "minds")
    return (
        Route("GET", project, _project_list),
        Route("GET", (*project, "{}"), _project_get, "path", _check_project_mind),
        Route("GET", paged, _add_slash),
        Route("GET", (*paged, ""), _paged_list),
        Route("GET", (*paged, "{}"), _paged_get, "path", _check_paged_mind),
        Route("GET", ("v1", "models"), _alias_list),
    )


def _check_project_mind(call: Call) -> None:
    if call.model not in MINDS:
        raise RefusalError(not_found(call.asked, 404))


def _check_paged_mind(call: Call) -> None:
    if call.model.lower() not in MINDS:
        raise RefusalError(not_found(call.asked.lower(), 404))


def not_found(name: str, status: int) -> Problem:
    """The words for an unknown Mind."""
    return Problem(status, f"Mind '{name}' not found", "")


def _project_list(call: Call) -> Reply:
    _check_project(call)
    return json_reply([_project_row(name) for name in SEED_MINDS])


def _project_get(call: Call) -> Reply:
    _check_project(call)
    return json_reply(_project_row(call.asked))


def _check_project(call: Call) -> None:
    if call.arguments[0] != PROJECT:
        raise RefusalError(Problem(404, f"Project '{call.arguments[0]}' not found", ""))


def _project_row(name: str) -> Json:
    return {
        "name": name,
        "model_name": "gpt-4o",
        "provider": "openai",
        "parameters": {"prompt_template": DESCRIPTION},
        "datasources": [],
        "created_at": RFC_1123,
        "updated_at": RFC_1123,
    }


def _add_slash(call: Call) -> Reply:
    """307 to the collection with its slash, absolute, as FastAPI answers."""
    query = f"?{call.query}" if call.query else ""
    host = call.request.header("host")
    location = f"http://{host}{PREFIXES['minds']}/api/v1/minds/{query}"
    return Reply(status=307, headers=(("location", location),))


def _paged_list(call: Call) -> Reply:
    limit = _whole(call, "limit", PAGE_ROWS, range(1, PAGE_ROWS + 1))
    offset = _whole(call, "offset", 0, range(1_000_000))
    rows = [_paged_row(name) for name in MINDS[offset : offset + limit]]
    return json_reply({"minds": rows, "total": len(MINDS)})


def _whole(call: Call, name: str, default: int, allowed: range) -> int:
    text = call.parameter(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or int(text) not in allowed:
        bounds = f"Input should be between {allowed[0]} and {allowed[-1]}"
        raise RefusalError(Problem(422, bounds, "invalid_request", loc=("query", name)))
    return int(text)


def _paged_get(call: Call) -> Reply:
    return json_reply(_paged_row(call.asked.lower()))


def _paged_row(name: str) -> Json:
    return {
        "name": name,
        "description": DESCRIPTION,
        "datasources": [],
        "created_at": ISO_8601,
        "modified_at": ISO_8601,
    }


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
