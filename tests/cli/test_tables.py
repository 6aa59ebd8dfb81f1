"""Tables as a person sees them, on screens of several widths."""

import io
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from app.cli import tables
from app.cli.tables import Column

COLUMNS = [
    Column("name", lambda row: row["name"], total=lambda: "total"),
    Column("requests", lambda row: tables.number(row["n"]), right=True, total=lambda: "1,201"),
    Column("note", lambda row: "a long note that nobody needs", rank=2),
    Column("more", lambda row: "and another of that kind", rank=1),
]
ROWS = [{"name": "ci", "n": 1200}, {"name": "[red]me[/]", "n": 1}]


def printed(width: int, *, colour: bool = False, **more: Any) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, color_system="standard" if colour else None
    )
    tables.show_rows(COLUMNS, more.pop("rows", ROWS), nothing="none yet", console=console, **more)
    return out.getvalue()


def test_numbers_stand_right_with_separators_and_a_total_below():
    lines = printed(200).splitlines()

    assert lines[0].split() == ["name", "requests", "note", "more"]
    [ci] = [line for line in lines if line.startswith("ci")]
    [total] = [line for line in lines if line.startswith("total")]
    assert ci.index("1,200") == total.index("1,201")


def test_what_looks_like_markup_is_text():
    assert "[red]me[/]" in printed(200)


def test_a_narrow_screen_does_without_the_columns_that_matter_least_and_says_so():
    wide, narrower, narrow = printed(200), printed(60), printed(30)

    assert "long note" in wide
    assert "No room" not in wide
    assert "long note" not in narrower
    assert "another of that kind" in narrower
    assert "No room for: note. --json has all." in narrower
    assert "1,200" in narrow
    assert "No room for: more, note." in " ".join(narrow.split())


def test_nothing_is_one_line():
    assert printed(80, rows=[]) == "none yet\n"


def test_a_dimmed_row_is_dim_where_there_is_colour():
    shown = printed(200, colour=True, dimmed=lambda row: row["n"] == 1)
    [ci] = [line for line in shown.splitlines() if "ci" in line]
    [me] = [line for line in shown.splitlines() if "me[/]" in line]

    assert "\x1b[2m" in me
    assert "\x1b[2m" not in ci


def test_a_card_leaves_out_what_is_empty():
    out = io.StringIO()
    state = Text("active", "green")
    tables.show_card([("name", "ci"), ("team", ""), ("state", state)], Console(file=out, width=80))

    assert [line.split() for line in out.getvalue().splitlines()] == [
        ["name", "ci"],
        ["state", "active"],
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "$0.00"),
        (25, "$25.00"),
        (1234567.5, "$1,234,567.50"),
        (0.000000001, "$0.000000001"),
        (0.0125, "$0.0125"),
        (-0.5, "-$0.50"),
        (None, ""),
    ],
)
def test_dollars_have_cents_and_what_a_smaller_sum_needs(value, text):
    assert text == tables.usd(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "$0.0000"),
        (33.670380429, "$33.6704"),
        (1234, "$1,234.0000"),
        (0.00005, "<$0.0001"),
        (-0.5, "-$0.5000"),
        (None, ""),
    ],
)
def test_costs_stand_below_each_other(value, text):
    assert text == tables.cost(value)


@pytest.mark.parametrize(("value", "text"), [(1234567, "1,234,567"), (0, "0"), (None, "")])
def test_counts_have_separators(value, text):
    assert text == tables.number(value)


def test_names_and_labels_stand_on_one_line():
    assert tables.names(["a", "b"]) == "a, b"
    assert tables.names({"site": "berlin"}) == "site=berlin"
    assert tables.names(None) == ""


def test_the_bar_says_nothing_where_nobody_watches(capsys):
    with tables.long_work("rows", 2) as advance:
        advance(2)

    assert capsys.readouterr() == ("", "")


def test_the_bar_is_on_standard_error_where_that_is_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    with tables.long_work("rows", 2) as advance:
        advance(2)

    shown = capsys.readouterr()
    assert shown.out == ""
    assert "rows" in shown.err
