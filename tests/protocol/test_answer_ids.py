"""The id of a completion, from the first bytes of its answer."""

import pytest

from app.protocol.answer_ids import completion_id


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        pytest.param(b'{"id":"chatcmpl-1","choices":[]}', "chatcmpl-1", id="a whole answer"),
        pytest.param(b'data: {"id":"chatcmpl-2"}\n\ndata: {"id":"x"}\n\n', "chatcmpl-2", id="a stream"),
        pytest.param(b': hello\n\ndata:{"id":"chatcmpl-3"}\n\n', "chatcmpl-3", id="behind a comment"),
        pytest.param(b'data: [DONE]\n\n', "", id="no event"),
        pytest.param(b'data: {"object":"x"}\n\ndata: {"id":"b"}\n\n', "b", id="the first that has one"),
        pytest.param(b'{"id":5}', "", id="a number is no id"),
        pytest.param(b'{"id":"cut', "", id="cut"),
        pytest.param(b'{"id":"\xff"}', "", id="no text"),
        pytest.param(b"", "", id="nothing"),
    ],
)  # fmt: skip
def test_the_id_is_found(first, expected):
    assert expected == completion_id(first)
