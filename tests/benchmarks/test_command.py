"""The command, the targets and the page."""

import os
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import arguments
from benchmarks.peers import PEERS
from benchmarks.startup import FASTAPI, SERVING, import_seconds

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("target", ["bench", "bench-peers"])
def test_make_has_the_target(target):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert f"\n{target}: .compiled/.stamp ## " in makefile


def test_several_works_may_be_chosen():
    told = arguments(["--only", "chat-64", "--only", "start", "--quick"])

    assert ["chat-64", "start"] == told.only
    assert told.quick


def test_an_unknown_work_is_refused(capsys):
    with pytest.raises(SystemExit):
        arguments(["--only", "nothing"])

    assert "invalid choice" in capsys.readouterr().err


def test_every_peer_is_pinned():
    separators = {"pip": "==", "npm": "@"}

    assert [
        package
        for peer in PEERS
        for package in peer.packages
        if not package.rpartition(separators[peer.registry])[2][:1].isdigit()
    ] == []


def test_the_page_names_the_version_of_every_peer():
    page = (ROOT / "docs/performance.md").read_text(encoding="utf-8")

    assert [peer.name for peer in PEERS if f"{peer.name} {peer.version}" not in page] == []


@pytest.mark.skipif(sys.platform != "linux", reason="cores are chosen")
def test_the_cost_of_an_import_is_without_that_of_python():

    found = import_seconds(ROOT, frozenset(os.sched_getaffinity(0)), 1)

    assert 0 < found[FASTAPI] < 30
    assert 0 < found[SERVING] < 60
