"""
One list of models in three dialects: OpenAI's, Codex' and Anthropic's (contract K1, K4, K5).

Plain values in, the bytes of a reply out. Which models a caller sees, and under which names, is decided elsewhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z: later ones have no ISO form
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model as the list shows it. *created*: seconds since 1970, 0 when nobody knows."""

    id: str
    created: int
    owned_by: str


def model_object(entry: ModelEntry) -> bytes:
    """The answer to `GET /v1/models/{id}` (contract K6)."""
    return _encoder.encode(_openai(entry))


def model_list(entries: Iterable[ModelEntry], *, codex: bool = False) -> bytes:
    """All of *entries* in one page: the SDKs never ask for a second (contract K1).

    *codex*: an empty `models` stands beside `data`, since in a filled one every field counts (contract K4).
    """
    beside: dict[str, Any] = {"models": []} if codex else {}
    return _encoder.encode(
        {"object": "list", "data": [_openai(entry) for entry in entries], **beside}
    )


def anthropic_model_object(entry: ModelEntry) -> bytes:
    """The answer to `GET /v1/models/{id}` with the header `anthropic-version` (contract K5)."""
    return _encoder.encode(_anthropic(entry))


def anthropic_model_list(entries: Iterable[ModelEntry]) -> bytes:
    """The list as Anthropic's SDKs read it; *first_id* and *last_id* are null when it is empty (contract K5)."""
    rows = [_anthropic(entry) for entry in entries]
    ends = (rows[0]["id"], rows[-1]["id"]) if rows else (None, None)
    page = {"data": rows, "has_more": False, "first_id": ends[0], "last_id": ends[1]}
    return _encoder.encode(page)


def deleted(model: str) -> bytes:
    """The answer to `DELETE /v1/models/{id}` (contract K7)."""
    return _encoder.encode({"id": model, "object": "model", "deleted": True})


def _openai(entry: ModelEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "object": "model",
        "created": entry.created,
        "owned_by": entry.owned_by,
    }


def _anthropic(entry: ModelEntry) -> dict[str, Any]:
    created = _EPOCH + timedelta(seconds=min(max(entry.created, 0), _LAST_SECOND))
    return {
        "type": "model",
        "id": entry.id,
        "display_name": entry.id,
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
