"""Who is let in (X1): the one right credential in its one place, and nothing that leaked."""

from __future__ import annotations

from urllib.parse import parse_qsl

from app.simulators.dialect import Dialect
from app.simulators.http_reader import Request
from app.simulators.replies import Problem, RefusalError

CREDENTIAL_HEADERS = (
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "anthropic-api-key",
)
CREDENTIAL_PARAMETERS = frozenset({"api_key", "api-key", "apikey", "key"})
LEAKED_PREFIXES = ("x-mindgate-", "x-stainless-")
LEAKED_NAMES = frozenset({"cookie"})


def check_leaks(dialect: Dialect, request: Request) -> None:
    """Refuse with 400 a header that should have stayed in the gateway, naming it."""
    for name, _ in request.headers:
        lower = name.lower()
        names = LEAKED_NAMES | dialect.unwelcome
        if lower in names or lower.startswith(LEAKED_PREFIXES):
            raise RefusalError(Problem(400, f"header '{lower}' leaked through", "leaked_header"))


def check_credential(dialect: Dialect, request: Request, query: str) -> None:
    """Refuse with 401 everything but the right key, once, where the dialect puts it."""
    found = [(name, value) for name in CREDENTIAL_HEADERS for value in request.values(name)]
    parameters = [pair for pair in parse_qsl(query) if pair[0].lower() in CREDENTIAL_PARAMETERS]
    if not found and not parameters:
        raise RefusalError(Problem(401, dialect.missing_key, "missing_api_key"))
    found += [(f"?{name}", value) for name, value in parameters]
    if found != [(dialect.carrier, dialect.credential)]:
        raise RefusalError(Problem(401, dialect.invalid_key, "invalid_api_key"))
