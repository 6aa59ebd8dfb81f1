"""Prepared upstreams of each dialect at addresses where nothing is."""

from typing import Any

from pydantic import SecretStr

from app.domain.configuration import DialectName, Timeouts, UpstreamEntry
from app.upstreams.upstream import Upstream, prepare

UPSTREAM_KEY = "up-0123456789abcdef"
VERSION = "9.9.9"


def entry_of(dialect: DialectName, **fields: Any) -> UpstreamEntry:
    """An entry of *dialect*, named after it."""
    usual: dict[str, Any] = {"name": dialect, "api_key": SecretStr(UPSTREAM_KEY)}
    if dialect == "openai":
        usual["base_url"] = "http://127.0.0.1:9/v1"
    return UpstreamEntry(dialect=dialect, **usual | fields)


def upstream_of(dialect: DialectName, defaults: Timeouts | None = None, **fields: Any) -> Upstream:
    """The same, prepared under the file's *defaults*."""
    return prepare(entry_of(dialect, **fields), defaults or Timeouts(), VERSION)
