"""What stands on a body that is passed on (contract C10, L9)."""

import pytest

from app.protocol.passed_headers import body_headers, body_length, file_headers

SENT = [
    (b"content-type", b"text/html"),
    (b"content-disposition", b"attachment"),
    (b"content-range", b"bytes 0-3/9"),
    (b"etag", b'"x"'),
    (b"location", b"http://inside"),
    (b"set-cookie", b"a=b"),
    (b"content-encoding", b"gzip"),
    (b"content-security-policy", b"none of theirs"),
]


def test_what_the_body_is_passes_and_nothing_that_speaks_for_our_address():
    assert SENT[:2] == body_headers(SENT)


def test_a_file_s_part_is_told_too_and_no_browser_runs_it():
    assert file_headers(SENT) == [
        *SENT[:4],
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"sandbox"),
    ]


@pytest.mark.parametrize(
    ("value", "length"), [(b"0", 0), (b"500", 500), (b"-1", None), (b"x", None), (b"9" * 19, None)]
)
def test_a_length_is_believed_where_it_is_one(value: bytes, length: int | None):
    assert length == body_length([(b"content-length", value)])
    assert body_length([]) is None
