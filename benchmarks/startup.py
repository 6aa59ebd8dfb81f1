"""What it costs to load the gateway: processor time of its imports, next to those of FastAPI alone."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.processes import clean_environment

BARE = "pass"
FASTAPI = "import fastapi"
SERVING = "import app.cli.main"  # what the command `mindgate serve` imports


def cpu_of(code: str, product: Path, core: frozenset[int]) -> float:
    """Processor seconds of a Python that runs *code* and ends, its start included. Raises OSError when it fails."""
    command = [sys.executable, "-P", "-c", code]
    pid = os.posix_spawn(sys.executable, command, _environment(product))
    os.sched_setaffinity(pid, core)
    _, status, used = os.wait4(pid, 0)
    if status:
        raise OSError(f"{code!r} failed")
    return used.ru_utime + used.ru_stime


def _environment(product: Path) -> Mapping[str, str]:
    return clean_environment({"PYTHONPATH": str(product)})


def import_seconds(product: Path, core: frozenset[int], runs: int) -> dict[str, float]:
    """Of each of `FASTAPI` and `SERVING`, the processor seconds of the import alone: the least of *runs*, taken in
    turns, without those of a Python that imports nothing."""
    seen: dict[str, list[float]] = {code: [] for code in (BARE, FASTAPI, SERVING)}
    for _ in range(runs):
        for code, seconds in seen.items():
            seconds.append(cpu_of(code, product, core))
    bare = min(seen[BARE])
    return {code: min(seen[code]) - bare for code in (FASTAPI, SERVING)}
