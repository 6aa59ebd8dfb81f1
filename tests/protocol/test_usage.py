import pytest

from app.domain.usage import Usage
from app.protocol.usage import is_whole, read_counts, read_usage

WHOLE = b'{"prompt_tokens":8,"completion_tokens":10,"total_tokens":18}'


@pytest.mark.parametrize(
    ("value", "usage", "whole"),
    [
        pytest.param(WHOLE, Usage(8, 10), True, id="whole"),
        pytest.param(WHOLE[:-1] + b',"prompt_tokens_details":{"cached_tokens":5}}', Usage(8, 10, 5), True,
                     id="with cached tokens"),
        pytest.param(WHOLE[:-1] + b',"prompt_tokens_details":null}', Usage(8, 10), True, id="null details"),
        pytest.param(WHOLE[:-1] + b',"prompt_tokens_details":7}', Usage(8, 10), True, id="odd details"),
        pytest.param(WHOLE[:-1] + b',"prompt_tokens_details":{"cached_tokens":99}}', Usage(8, 10, 8), True,
                     id="cached tokens are part of the input"),
        pytest.param(WHOLE[:-1] + b',"prompt_tokens_details":{"cached_tokens":null}}', Usage(8, 10), True,
                     id="null cached tokens"),
        pytest.param(WHOLE[:-1] + b',"prompt_tokens_details":{"cached_tokens":-5}}', Usage(8, 10), True,
                     id="cached tokens below nought"),
        pytest.param(WHOLE[:-1] + b',"prompt_tokens_details":{"cached_tokens":"5"}}', Usage(8, 10), True,
                     id="odd cached tokens"),
        pytest.param(b'{"prompt_tokens":8,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":5}}',
                     Usage(8, 10, 5), False, id="partial, with cached tokens"),
        pytest.param(b'{"prompt_tokens":8,"completion_tokens":10,"total_tokens":null}', Usage(8, 10), False,
                     id="a null total"),
        pytest.param(b'{"prompt_tokens":8,"completion_tokens":10}', Usage(8, 10), False,
                     id="partial: counted, not shown (E4)"),
        pytest.param(b"{}", None, False, id="empty (E4)"),
        pytest.param(b"null", None, False, id="null (E4)"),
        pytest.param(b'{"prompt_tokens":"8","completion_tokens":1,"total_tokens":9}', None, False, id="text"),
        pytest.param(b'{"prompt_tokens":8.0,"completion_tokens":1,"total_tokens":9}', None, False, id="float"),
        pytest.param(b'{"prompt_tokens":-8,"completion_tokens":1,"total_tokens":9}', None, True, id="negative"),
    ],
)  # fmt: skip
def test_usage_is_read(value, usage, whole):
    assert usage == read_usage(value)
    assert whole == is_whole(value)
    assert (usage, whole) == read_counts(value)


def test_no_usage_is_none():
    assert read_usage(None) is None
