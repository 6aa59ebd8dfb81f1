"""
The stored objects that a JSON body names, wherever in it: a shared upstream account opens them for whoever names them
(reliability S16).

Only names that say what stands there are read; `metadata` is the client's own text, and what is in it names nothing.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from app.domain.stored_objects import ObjectKind

_NAMES: Mapping[str, ObjectKind] = {
    "file_id": "file",
    "file_ids": "file",
    "files": "file",
    "training_file": "file",
    "training_files": "file",
    "validation_file": "file",
    "validation_files": "file",
    "dataset_id": "dataset",
    "dataset_ids": "dataset",
    "model": "model",
}
_UNREAD = "metadata"
_FILE = frozenset(("file_id",))
_ESCAPED = re.compile(
    rb"\\u00(?:6[4569cC]|5[fF])"
)  # a letter of `file_id`, which nobody has to escape


class Named(NamedTuple):
    """An object of *kind* that a body names by *id*, a number as it stands there."""

    kind: ObjectKind
    id: str


class _Object(NamedTuple):
    pairs: list[tuple[str, Any]]  # repeated ones too: who reads which, nobody knows


def may_name_files(body: bytes) -> bool:
    """False for nearly every chat: it shows no stored file."""
    return b"file_id" in body or (b"\\u00" in body and _ESCAPED.search(body) is not None)


def files_shown(body: bytes) -> frozenset[str]:
    """The ids of the stored files that *body* shows to a model. As `named_objects` otherwise."""
    return frozenset(one.id for one in _found(_root(body), _FILE))


def named_objects(body: bytes) -> frozenset[Named]:
    """The objects that *body*, which is JSON of a bounded depth, names at its top or below."""
    return frozenset(_found(_root(body), _NAMES.keys()))


def _root(body: bytes) -> Any:
    return json.loads(body, object_pairs_hook=_Object, parse_int=str, parse_float=str)


def _found(root: Any, names: Collection[str]) -> Iterator[Named]:
    waiting: list[Any] = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, _Object):
            for name, inner in value.pairs:
                if name == _UNREAD:
                    continue
                if name in names:
                    yield from (Named(_NAMES[name], one) for one in _texts(inner))
                waiting.append(inner)


def _texts(value: Any) -> Iterator[str]:
    values = value if isinstance(value, list) else [value]
    yield from (one for one in values if isinstance(one, str) and one)
