"""Ids from paths: decoded once, harmless, or refused (contract A12, F31)."""

from typing import get_args

import pytest

from app.domain.errors import InvalidRequest, ObjectNotFound
from app.domain.stored_objects import ObjectKind
from app.protocol.object_ids import LONGEST_ID, no_such_object, object_id


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        ("file-abc123", "file-abc123"),
        ("1234", "1234"),
        ("chatcmpl-9_x.y", "chatcmpl-9_x.y"),
        ("ft%3Agpt-4o%3Aorg%3A%3Aid", "ft:gpt-4o:org::id"),
        ("a@b", "a@b"),
        ("...", "..."),
        ("x" * LONGEST_ID, "x" * LONGEST_ID),
    ],
)
def test_an_id_is_decoded_once(encoded: str, text: str):
    assert text == object_id(encoded)


@pytest.mark.parametrize(
    "encoded",
    [
        *("", ".", "..", "%2e", "%2e%2e", ".%2e", "a/b", "a%2fb", "a%2Fb", "%2f", "a%00", "%00"),
        *("a;b", "a%3bb", "a\\b", "a%5cb", "a?b", "a%3fb", "a#b", "a%23b", "a%0ab", "a%0d%0ab"),
        *("a%252fb", "%25", "a b", "a%20b", "a%7fb", "ä", "%c3%a4", "%ff", "a\u202e", "a&b", "a=b"),
        "x" * (LONGEST_ID + 1),
    ],
)
def test_what_could_walk_out_of_its_place_is_no_id(encoded: str):
    with pytest.raises(InvalidRequest) as raised:
        object_id(encoded)

    assert (400, "id") == (raised.value.status, raised.value.param)


@pytest.mark.parametrize("kind", get_args(ObjectKind))
def test_f31_each_kind_has_its_words(kind: ObjectKind):
    error = no_such_object(kind, "x-1")

    assert "x-1" in error.message
    assert (404, None) == (error.status, error.code)
    assert isinstance(error, ObjectNotFound)
