"""Whose files are whose (reliability J7, J8)."""

import os

import pytest

from app.domain.errors import ConfigurationError
from app.usage.segments import Series, names_in


def test_a_series_whose_process_lives_can_not_be_seized(tmp_path):
    living = Series.begin(tmp_path, "1")

    assert Series.seize(tmp_path, "1") is None
    living.release()


def test_a_series_whose_process_is_gone_can_be_seized_once(tmp_path):
    dead = Series.begin(tmp_path, "1")
    os.close(dead.create(1))
    dead.release()

    first = Series.seize(tmp_path, "1")

    assert first is not None
    assert Series.seize(tmp_path, "1") is None
    assert [1] == first.numbers()
    first.release()


def test_two_that_begin_with_one_name_have_two_series(tmp_path):
    first, second = Series.begin(tmp_path, "1"), Series.begin(tmp_path, "1")

    os.close(first.create(1))
    os.close(second.create(1))

    assert len(names_in(tmp_path)) == 2
    assert first.numbers() == second.numbers() == [1]
    first.release()
    second.release()


def test_nothing_stays_of_a_series_without_segments(tmp_path):
    Series.begin(tmp_path, "1").release()

    assert [] == list(tmp_path.iterdir())


def test_segments_without_their_lock_are_found_all_the_same(tmp_path):
    (tmp_path / "a.000001.journal").write_bytes(b"")
    (tmp_path / "b.lock").write_bytes(b"")
    (tmp_path / "other.txt").write_bytes(b"")

    assert ["a", "b"] == names_in(tmp_path)
    assert [] == names_in(tmp_path / "none")


def test_a_folder_that_cannot_be_listed_is_said_with_its_option(tmp_path, monkeypatch):
    def denied(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(os, "listdir", denied)

    with pytest.raises(ConfigurationError, match=r"usage\.journal: .* cannot be read: Permission"):
        names_in(tmp_path)


def test_segments_come_in_the_order_of_their_numbers(tmp_path):
    series = Series.begin(tmp_path, "1")
    for number in (2, 1_000_000, 10, 999_999):
        os.close(series.create(number))

    assert [2, 10, 999_999, 1_000_000] == series.numbers()
    series.release()
