"""
The form field `4minds`: JSON text, which the SDKs flatten into `4minds[dataset_name]=My` (upstreams F-M1 to F-M3).

Which data set an upload names is read here too, since whose it is decides whether the upload may go on (reliability
S16): so a field that two readers could read in two ways is refused.
"""

import re
from typing import TypeAlias

from app.domain.errors import InvalidRequest
from app.protocol.lossless import array_of, is_json, literal, object_of
from app.protocol.members import TooDeep, members
from app.protocol.multipart import PartHead

FIELD = "4minds"
_FLATTENED = re.compile(r"4minds((?:\[[^\[\]]*\])+)")
_MOST_LEVELS = 16
_INTEGER = re.compile(rb"-?[0-9]{1,19}")
_NUMBER_OR_BOOLEAN = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false")

_Node: TypeAlias = "bytes | dict[str, _Node] | list[_Node]"  # a leaf is its JSON text


def is_flattened(name: str) -> bool:
    """Whether a part called *name* is a piece of the field."""
    return name.startswith(f"{FIELD}[")


def wrong_field(what: str) -> InvalidRequest:
    """The error for a field that says *what* cannot be."""
    return InvalidRequest(
        f"The form field '{FIELD}' {what}.", code="invalid_form_field", param=FIELD
    )


def named_dataset(text: bytes, head: PartHead) -> str | None:
    """The id of the data set that the field *text* names, in decimal; None where it names none.

    Raises InvalidRequest for what is no JSON object, for a `dataset_id` that is no integer, and for a part that some
    would decode first.
    """
    _check_plain(head)
    found: dict[str, bytes] = {}
    is_object = False
    try:
        text.decode("utf-8")
        is_object = text.lstrip(b" \t\r\n")[:1] == b"{" and is_json(text)
        for member in members(text, 0) if is_object else ():
            if member.name in found:
                raise wrong_field(f"has the member '{member.name[:100]}' twice")
            found[member.name] = text[member.value.start : member.value.end]
    except (UnicodeDecodeError, TooDeep):
        is_object = False
    if not is_object:
        raise wrong_field('must be a JSON object, such as {"dataset_id": 1234}')
    value = found.get("dataset_id", b"null")
    return None if value == b"null" else _integer(value).decode()


def _check_plain(head: PartHead) -> None:
    if not head.is_plain:
        raise wrong_field("must be plain UTF-8 text")


class FlatField:
    """The field, put together again from its flattened parts."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root: dict[str, _Node] = {}

    def __bool__(self) -> bool:
        return bool(self._root)

    @property
    def dataset_id(self) -> str | None:
        """See `named_dataset`."""
        leaf = self._root.get("dataset_id")
        return leaf.decode() if isinstance(leaf, bytes) else None

    def put(self, head: PartHead, value: bytes) -> None:
        """The part of *head*, whose content is *value*, belongs to it. Raises InvalidRequest where it fits nowhere."""
        _check_plain(head)
        path = _path(head.name)
        _put(self._root, path, _leaf(path, value), head.name)

    def text(self) -> bytes:
        """It as JSON text, in the order in which its parts came."""
        return _rendered(self._root)


def _path(name: str) -> list[str]:
    match = _FLATTENED.fullmatch(name)
    if match is None or not name.isprintable():
        raise wrong_field(f"is given by a part whose name cannot be read: '{_shown(name)}'")
    path = match[1][1:-1].split("][")
    if len(path) > _MOST_LEVELS or not path[0]:
        raise wrong_field(f"must be an object, which '{_shown(name)}' does not fit")
    return path


def _shown(name: str) -> str:
    return name[:100].encode("utf-8", "replace").decode()


def _leaf(path: list[str], value: bytes) -> bytes:
    """The JSON text of *value* at *path* (F-M3)."""
    if path[0] == "dataset_id":
        return _integer(value if len(path) == 1 else b"")
    if path[0] == "model_params" and _NUMBER_OR_BOOLEAN.fullmatch(value):
        return value
    try:
        return literal(value.decode("utf-8"))
    except UnicodeDecodeError:
        raise wrong_field("must be plain UTF-8 text") from None


def _integer(value: bytes) -> bytes:
    if not _INTEGER.fullmatch(value):
        raise wrong_field("has a 'dataset_id' that is not an integer")
    return b"%d" % int(value)


def _put(node: _Node, path: list[str], leaf: bytes, name: str) -> None:
    for key, following in zip(path, [*path[1:], None], strict=True):
        child: _Node = leaf if following is None else [] if following == "" else {}
        if isinstance(node, list) and key == "":
            node = _appended(node, child, following)
        elif isinstance(node, dict) and key and (key not in node or following is not None):
            node = node.setdefault(key, child)
        else:
            raise wrong_field(f"is given two values that exclude each other at '{_shown(name)}'")


def _appended(items: list[_Node], child: _Node, following: str | None) -> _Node:
    """The element that a part goes into: the last object, as long as it lacks that member, else a new one."""
    last = items[-1] if items else None
    if following and isinstance(last, dict) and following not in last:
        return last
    items.append(child)
    return child


def _rendered(node: _Node) -> bytes:
    if isinstance(node, dict):
        return object_of({name: _rendered(child) for name, child in node.items()})
    if isinstance(node, list):
        return array_of(map(_rendered, node))
    return node
