"""What others named is safe to print."""

import pytest

from app.cli.text import one_line, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("gpt-4o", "gpt-4o", id="plain"),
        pytest.param("Zoë 日本", "Zoë 日本", id="readable in any script"),
        pytest.param("a\x1b[31mb", "a\\x1b[31mb", id="an order to the terminal"),
        pytest.param("a\nb", "a\\nb", id="a line end"),
        pytest.param("a\x9bb", "a\\x9bb", id="an order of one byte"),
        pytest.param("a\u202eb", "a\\u202eb", id="letters turned round"),
        pytest.param("a\udcffb", "a\\udcffb", id="half a character"),
    ],
)
def test_what_is_not_printable_stands_as_its_escape(text, shown):
    assert shown == plain(text)


def test_a_message_is_one_line():
    assert one_line("a\n  b\tc\x1b") == "a b c\\x1b"
