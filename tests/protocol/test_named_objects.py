"""The stored objects that a JSON body names (reliability S16)."""

import pytest

from app.protocol.named_objects import files_shown, may_name_files, named_objects


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"{}", set(), id="nothing"),
        pytest.param(b'{"training_file":"f"}', {("file", "f")}, id="at the top"),
        pytest.param(b'{"a":[{"b":{"file_id":"f"}}]}', {("file", "f")}, id="below"),
        pytest.param(b'{"a":{"file_ids":["f","g",7]}}', {("file", "f"), ("file", "g"), ("file", "7")}, id="a list"),
        pytest.param(b'{"dataset_id":1234}', {("dataset", "1234")}, id="a number"),
        pytest.param(b'{"dataset_id":1234.0}', {("dataset", "1234.0")}, id="a number as it was written"),
        pytest.param(b'{"file_id":"f","file_id":"g"}', {("file", "f"), ("file", "g")}, id="twice: both"),
        pytest.param(b'{"file\\u005fid":"f"}', {("file", "f")}, id="a name with an escape"),
        pytest.param(b'{"x":{"model":"m"}}', {("model", "m")}, id="a model"),
        pytest.param(b'{"x":{"metadata":{"file_id":"f"}}}', set(), id="metadata is text"),
        pytest.param(b'{"file_id":{"type":"string"},"model":null,"files":""}', set(), id="what names nothing"),
        pytest.param(b'{"x":"{\\"file_id\\":\\"f\\"}"}', set(), id="JSON in a text"),
        pytest.param(b'{"dataset_id":' + 5000 * b"9" + b"}", {("dataset", 5000 * "9")}, id="a number without end"),
    ],
)  # fmt: skip
def test_what_a_body_names(body: bytes, expected: set[tuple[str, str]]):
    assert expected == {tuple(one) for one in named_objects(body)}


def test_a_chat_shows_files_only():
    body = b'{"model":"m","messages":[{"content":[{"file":{"file_id":"f"}}]}],"files":["g"]}'

    assert {"f"} == files_shown(body)


@pytest.mark.parametrize(
    ("body", "may"),
    [
        (b'{"model":"m"}', False),
        (b'{"x":"\\u00e4\\u0041"}', False),
        (b'{"file_id":"f"}', True),
        (b'{"file\\u005Fid":"f"}', True),
        (b'{"\\u0066ile_id":"f"}', True),
        (b'{"fil\\u0065_id":"f"}', True),
        (b'{"fi\\u006Ce_id":"f"}', True),
        (b'{"file_i\\u0064":"f"}', True),
    ],
)
def test_who_shows_no_file_is_known_without_a_parse(body: bytes, may: bool):
    assert may is may_name_files(body)
