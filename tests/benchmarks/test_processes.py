"""A tree's figures are those of all its processes, and none of them outlives the run."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from benchmarks import processes
from benchmarks.processes import Cores, DidNotStart, Process, split_cores, start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc and timerfd")

CHILD = """
import time
while time.process_time() < 0.3: pass
print("done", flush=True)
time.sleep(60)
"""
# A parent that does nothing and a child that burns; both say something, and stay.
FAMILY = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}])
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Process]:
    process = start(
        "family",
        [sys.executable, "-c", FAMILY],
        folder=tmp_path,
        cores=frozenset(os.sched_getaffinity(0)),
        piped=True,
    )
    yield process
    process.stop()


def said(process: Process) -> str:
    assert process.popen.stdout is not None
    return process.popen.stdout.readline().strip()


def test_a_trees_processor_time_is_its_childrens_too(family):
    child = int(said(family))
    assert "done" == said(family)

    assert {family.pid, child} == set(processes.tree(family.pid))
    assert processes.cpu_seconds(family.pid) >= processes.cpu_seconds(child) >= 0.25


def test_a_trees_memory_is_its_childrens_too(family):
    child = int(said(family))
    assert "done" == said(family)
    apart = processes.resident_bytes(child)

    assert processes.resident_bytes(family.pid) > apart > 1_000_000


def test_a_stop_ends_the_whole_tree(family):
    child = int(said(family))

    family.stop()

    deadline = monotonic() + 5
    while is_running(child) and monotonic() < deadline:
        sleep(0.01)
    assert not is_running(child)
    assert 0.0 == processes.cpu_seconds(family.pid)


def is_running(pid: int) -> bool:
    """Whether it is there, and more than an entry that nobody has read yet."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def test_a_program_runs_on_its_cores(tmp_path):
    core = min(os.sched_getaffinity(0))
    code = "import os; print(os.sched_getaffinity(0))"

    process = start(
        "pinned", [sys.executable, "-c", code],
        folder=tmp_path, cores=frozenset({core}), piped=True,
    )  # fmt: skip

    assert f"{{{core}}}" == said(process)
    process.stop()


def test_a_program_that_ends_is_reported_with_its_last_words(tmp_path):
    process = start(
        "broken", [sys.executable, "-c", "raise SystemExit('no port left')"],
        folder=tmp_path, cores=frozenset(os.sched_getaffinity(0)),
    )  # fmt: skip
    process.popen.wait()

    with pytest.raises(DidNotStart, match="no port left"):
        processes.wait_until_right(process, 1, b"", 5.0)


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        pytest.param({0}, Cores(frozenset({0}), frozenset({0})), id="one core is shared"),
        pytest.param({0, 1}, Cores(frozenset({1}), frozenset({0})), id="two are divided"),
        pytest.param({2, 5, 7}, Cores(frozenset({7}), frozenset({2, 5})), id="the load gets the rest"),
    ],
)  # fmt: skip
def test_the_gateway_has_one_core_for_itself(available, expected):
    assert expected == split_cores(available)


def test_no_setting_of_who_measures_reaches_a_program(monkeypatch):
    monkeypatch.setenv("MINDGATE_SERVER__PORT", "1")

    assert "MINDGATE_SERVER__PORT" not in processes.clean_environment({})
    assert "1" == processes.clean_environment({"A": "1"})["A"]
