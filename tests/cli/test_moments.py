"""Times as a person types and reads them."""

import pytest
import typer

from app.cli import moments

NOW = 1_795_000_000.0  # 2026-11-18 11:06:40 UTC


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("7d", NOW - 7 * 86400, id="days ago"),
        pytest.param("12h", NOW - 12 * 3600, id="hours ago"),
        pytest.param("2w", NOW - 14 * 86400, id="weeks ago"),
        pytest.param("1970-01-02", 86400.0, id="a date begins at midnight UTC"),
        pytest.param("1970-01-02T00:00:00Z", 86400.0, id="a time with Z"),
        pytest.param("1970-01-02T01:00:00+01:00", 86400.0, id="a time in another zone"),
        pytest.param("1970-01-02 00:00", 86400.0, id="a blank instead of T"),
    ],
)
def test_a_past_moment_is_a_date_a_time_or_how_long_ago(text, seconds):
    assert seconds == moments.read_past(text, "--since", NOW)


def test_a_future_moment_may_be_how_far_ahead():
    assert NOW + 30 * 86400 == moments.read_future("30d", "--expires-at", NOW)


@pytest.mark.parametrize("text", ["", "yesterday", "7 d", "-7d", "2026-13-01", "7", "٣d"])
def test_what_is_no_moment_is_refused_with_what_would_be_right(text):
    with pytest.raises(typer.BadParameter, match="2026-12-31"):
        moments.read_past(text, "--since", NOW)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("0", 0), ("30s", 30), ("5m", 300), ("24h", 86400)]
)
def test_a_duration_is_seconds_or_has_a_unit(text, seconds):
    assert seconds == moments.read_duration(text, "--grace-seconds")


@pytest.mark.parametrize("text", ["", "-1", "1.5h", "an hour", "9999999999"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(typer.BadParameter, match="30m"):
        moments.read_duration(text, "--grace-seconds")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("2026-11-18T11:06:40.000Z", "2026-11-18 11:06 (now)", id="now"),
        pytest.param("2026-11-18T11:03:40Z", "2026-11-18 11:03 (3 min ago)", id="past"),
        pytest.param(NOW + 7200, "2026-11-18 13:06 (in 2 h)", id="a number, ahead"),
        pytest.param(NOW - 86400, "2026-11-17 11:06 (1 d ago)", id="a day"),
        pytest.param(NOW + 2_591_999, "2026-12-18 11:06 (in 30 d)", id="rounded"),
        pytest.param(None, "", id="none"),
        pytest.param("never", "", id="no time"),
    ],
)
def test_a_moment_is_shown_absolute_and_relative(value, text):
    assert text == moments.shown(value, NOW)


def test_what_is_sent_is_utc_to_the_second():
    assert moments.iso(86400.9) == "1970-01-02T00:00:00Z"
