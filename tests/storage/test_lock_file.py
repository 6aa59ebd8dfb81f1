"""The lock of the one writer, and what it remembers (reliability Q4, Q5)."""

import subprocess
import sys

import pytest

from app.storage.lock_file import Held, LockFile


def test_one_holder_at_a_time(tmp_path):
    first = LockFile.take(tmp_path / "lock")
    with pytest.raises(Held):
        LockFile.take(tmp_path / "lock")
    first.release(in_order=True)

    LockFile.take(tmp_path / "lock").release(in_order=True)


@pytest.mark.parametrize(
    ("in_order", "was_open"),
    [pytest.param(True, False, id="let go in order"), pytest.param(False, True, id="given up")],
)
def test_the_next_holder_knows_how_the_last_one_ended(tmp_path, in_order, was_open):
    first = LockFile.take(tmp_path / "lock")
    assert first.was_open is False
    first.release(in_order=in_order)
    first.release(in_order=True)  # the second time does nothing

    second = LockFile.take(tmp_path / "lock")

    assert was_open is second.was_open
    second.release(in_order=True)


def test_a_kill_frees_the_lock_and_is_remembered(tmp_path):
    program = (
        "import os, signal, sys; from pathlib import Path; from app.storage.lock_file import LockFile\n"
        "lock = LockFile.take(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "lock")], check=False, timeout=20)

    lock = LockFile.take(tmp_path / "lock")

    assert lock.was_open is True
    lock.release(in_order=True)


@pytest.mark.parametrize(
    ("error", "was_open"), [pytest.param(None, False, id="in order"), pytest.param(KeyError, True, id="an error")]
)  # fmt: skip
def test_a_block_that_ends_in_an_error_did_not_end_in_order(tmp_path, error, was_open):
    lock = LockFile.take(tmp_path / "lock")
    lock.__exit__(error, None, None)

    following = LockFile.take(tmp_path / "lock")

    assert was_open is following.was_open
    following.release(in_order=True)
