"""A ledger of a million records, as tests/storage/test_ledger_speed.py measures it (reliability Q6)."""

import asyncio
import re
import sys
from pathlib import Path

from tests.prove.figures import Figure, at_most, equal, told

_ROOT = Path(__file__).parents[2]
_TEST = "tests/storage/test_ledger_speed.py"
_PATIENCE_SECONDS = 900.0
_LINE = re.compile(r"^([A-Za-z][^:\n]*): ([\d,.]+)$", re.MULTILINE)
_SUMMARIES = {f"by {group}, ms" for group in ("key", "team", "model", "upstream", "day")}
_BOUNDS = {**dict.fromkeys(_SUMMARIES, 100.0), "slowest retention of 500, ms": 50.0}


async def prove() -> list[Figure]:
    """Runs it in a process of its own, which is how pytest wants it."""
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "pytest",
            _TEST,
            "-m",
            "soak",
            "-q",
            "-s",
            "-p",
            "no:cacheprovider",
        ),
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(_PATIENCE_SECONDS):
        said, _ = await process.communicate()
    figures = []
    for name, value in _LINE.findall(said.decode()):
        measured = float(value.replace(",", ""))
        what, _, unit = name.rpartition(", ")
        figures.append(
            at_most(what, measured, _BOUNDS[name], unit)
            if name in _BOUNDS
            else told(what, f"{measured:.2f} {unit}")
        )
    return [*figures, equal("failures of the measurement", process.returncode or 0, 0)]
