"""
Processes of a benchmark: started on a core of their own, read as a whole tree, and ended.

Linux only: a process's figures are read from /proc, where a tree's children are found too.
"""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_POLL_SECONDS = 0.01
_GRACE_SECONDS = 3.0


class DidNotStart(Exception):
    """A program ended, or did not answer in time; the message says which, with the end of its output."""


class Cores(NamedTuple):
    """Who runs where. On a machine with one core both sets are the same, and the figures are poor."""

    gateway: frozenset[int]
    load: frozenset[int]


def split_cores(available: set[int]) -> Cores:
    """The last core for the gateway that is measured, the rest for the load and the upstream."""
    last = max(available)
    return Cores(frozenset({last}), frozenset(available - {last} or {last}))


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """What a program needs to start and *more*: no setting of the person who measures reaches it."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
    own = {name: os.environ[name] for name in kept if name in os.environ}  # noqa: TID251 not the product
    return own | dict(more)


@dataclass(slots=True)
class Process:
    """A program that runs. *log* holds what it prints on standard error, and on standard output unless piped."""

    name: str
    popen: subprocess.Popen[str]
    log: Path
    ready_seconds: float = field(default=0.0)

    @property
    def pid(self) -> int:
        """The tree's root."""
        return self.popen.pid

    def stop(self) -> None:
        """The whole tree is gone, or about to be."""
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(_GRACE_SECONDS)
        self._signal(
            signal.SIGKILL
        )  # what the root left behind, and the root where it takes its time
        self.popen.wait()
        if self.popen.stdout:
            self.popen.stdout.close()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)

    def last_words(self) -> str:
        """The end of what it printed, for an error message."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return " | ".join(lines[-3:])[-400:]


def start(
    name: str,
    command: Sequence[str],
    *,
    folder: Path,
    cores: frozenset[int],
    environment: Mapping[str, str] | None = None,
    piped: bool = False,
) -> Process:
    """*command* runs in *folder*, on *cores*, as the leader of a group of its own. *piped*: its output can be read."""
    log = folder / f"{name}.log"
    with log.open("w", encoding="utf-8") as out:
        popen = subprocess.Popen(  # noqa: S603 a list, never a shell
            list(command),
            cwd=folder,
            env=clean_environment(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else out,
            stderr=out,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
            text=True,
        )
    return Process(name, popen, log)


def wait_until_right(process: Process, port: int, request: bytes, patience_seconds: float) -> None:
    """*request* has been answered with 200: `ready_seconds` says how long after this call began.

    Raises DidNotStart.
    """
    began = monotonic()
    while monotonic() - began < patience_seconds:
        if is_answered(port, request):
            process.ready_seconds = monotonic() - began
            return
        if process.popen.poll() is not None:
            raise DidNotStart(f"{process.name} ended: {process.last_words()}")
        sleep(_POLL_SECONDS)
    raise DidNotStart(f"{process.name} did not answer: {process.last_words()}")


def is_answered(port: int, request: bytes) -> bool:
    """Whether *request* is answered with 200 right now."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5.0) as connection:
            connection.sendall(request)
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


# --- a tree's figures -----------------------------------------------------------------------------------------------


def tree(root: int) -> Iterator[int]:
    """*root* and all that descend from it, as far as they are there."""
    yield root
    try:
        for children in (_PROC / str(root) / "task").glob("*/children"):
            for child in children.read_text().split():
                yield from tree(int(child))
    except OSError:  # it ended meanwhile
        return


def cpu_seconds(root: int) -> float:
    """What the tree has used so far, in user and kernel mode, ended children that were waited for included."""
    return sum(_cpu_ticks(pid) for pid in tree(root)) / _TICKS


def _cpu_ticks(pid: int) -> int:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return 0
    # The name, in brackets, may hold brackets too; behind it utime is the 12th field, then stime, cutime, cstime.
    fields = text.rpartition(")")[2].split()
    return sum(int(value) for value in fields[11:15])


def resident_bytes(root: int) -> int:
    """The sum of the tree's resident memory; pages that its processes share count in each."""
    return sum(_resident_pages(pid) for pid in tree(root)) * _PAGE_BYTES


def _resident_pages(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1])
    except OSError:
        return 0


def busy_seconds(cores: frozenset[int]) -> float:
    """What *cores* spent on programs so far, and had taken from them by other machines; interrupts are not in it."""
    names = {f"cpu{core}" for core in cores}
    lines = [line.split() for line in (_PROC / "stat").read_text().splitlines()]
    # user, nice, system, idle, iowait, irq, softirq, steal
    chosen = [sum(int(line[place]) for place in (1, 2, 3, 8)) for line in lines if line[0] in names]
    return sum(chosen) / _TICKS
