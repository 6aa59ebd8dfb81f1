"""
Ids of stored objects as they stand in paths, queries and answers (contract A12, F31, M4).

An id from a path is decoded once and holds a few harmless characters only, so that nothing in it can walk out of its
place at an upstream: no `/`, `..`, `%`, `;`, `\\`, `?`, `#`, blank or control character.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

from app.domain.errors import ClientError, InvalidRequest, ObjectNotFound
from app.domain.stored_objects import ObjectKind

LONGEST_ID = 256  # characters
_ID = re.compile(r"[A-Za-z0-9_.:@-]+")
_DOTS = (".", "..")
_SAID: Mapping[ObjectKind, tuple[str, str | None]] = {  # OpenAI's own words where it has some
    "file": ("No such File object: {}", "id"),
    "job": ("Could not find fine tune: {}", None),
    "completion": ("Chat completion with id '{}' not found.", None),
    "dataset": ("No such Dataset object: {}", "id"),
    "model": ("The model '{}' does not exist", "model"),
    "thread": ("No thread found with id '{}'.", None),
}


def object_id(encoded: str) -> str:
    """What *encoded*, a segment of a path as it came, names. Raises InvalidRequest for what can be no id."""
    text = unquote(encoded)
    if len(text) > LONGEST_ID or text in _DOTS or _ID.fullmatch(text) is None:
        raise InvalidRequest(
            "The id in the path is none: an id is made of letters, digits and `_ - . : @`, "
            f"{LONGEST_ID} at most.",
            param="id",
        )
    return text


def no_such_object(kind: ObjectKind, object_id: str, *, param: str | None = None) -> ClientError:
    """An ObjectNotFound: the one answer for an object that is unknown or somebody else's (contract F31). *param*: what
    named it, where that was no path."""
    words, usual = _SAID[kind]
    error: ClientError = ObjectNotFound(words.format(object_id[:LONGEST_ID]), param=param or usual)
    error.code = None
    return error
