"""
What issue 4 claims of keys, limits and the ledger, shown and not said: `make prove`.

    python -m tests.prove [--quick] [--only NAME]…

Prints one table for each claim; exit 1 when one does not hold. About nine minutes on two cores.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import NamedTuple

import uvloop

from tests.fakes.postgres import running_postgres
from tests.prove import crowds, footprint, million
from tests.prove.figures import Figure, all_hold, say, show, told
from tests.prove.kills import Kills
from tests.prove.mixture import Mixture
from tests.prove.serving import sqlite_in


class Size(NamedTuple):
    """How much of each there is."""

    crowd: int
    room: int
    exchanges: int
    kills: int
    postgres_kills: int
    keys: int


_FULL = Size(crowd=500, room=50, exchanges=10_000, kills=200, postgres_kills=20, keys=10_000)
_QUICK = Size(crowd=200, room=20, exchanges=1000, kills=5, postgres_kills=2, keys=1000)


class Claim(NamedTuple):
    """*prove* gets a folder of its own."""

    title: str
    prove: Callable[[Path, Size], Awaitable[list[Figure]]]


async def _exact(folder: Path, size: Size) -> list[Figure]:
    return await crowds.prove(folder, requests=size.crowd, room=size.room)


async def _mixture(folder: Path, size: Size) -> list[Figure]:
    return await Mixture(folder, size.exchanges).run()


async def _kill(folder: Path, size: Size) -> list[Figure]:
    return await Kills(folder, sqlite_in(folder), size.kills).run()


async def _kill_on_postgres(folder: Path, size: Size) -> list[Figure]:
    if missing := [name for name in ("postgres", "initdb", "psql") if which(name) is None]:
        return [told("left out, not on PATH", ", ".join(missing))]
    with running_postgres() as server:
        return await Kills(folder, server.new_database(), size.postgres_kills).run()


async def _idle(folder: Path, size: Size) -> list[Figure]:
    return await footprint.prove(folder, keys=size.keys)


async def _ledger(_: Path, size: Size) -> list[Figure]:
    if size is _QUICK:
        return [told("left out", "--quick")]
    return await million.prove()


CLAIMS = {
    "exact": Claim("Many at once on room for a few", _exact),
    "mixture": Claim("All kinds of exchanges at random", _mixture),
    "kill": Claim("kill -9 at random moments under load, SQLite", _kill),
    "kill-postgres": Claim("kill -9 at random moments under load, Postgres", _kill_on_postgres),
    "idle": Claim("A gateway that does nothing", _idle),
    "ledger": Claim("A ledger of a million records", _ledger),
}


async def _all(names: Sequence[str], size: Size) -> bool:
    have_held = True
    for name in names:
        claim = CLAIMS[name]
        with TemporaryDirectory(prefix="mindgate-prove-") as folder:
            figures = await claim.prove(Path(folder), size)
        show(f"{name}: {claim.title}", figures)
        have_held &= all_hold(figures)
    return have_held


def main(given: Sequence[str]) -> int:
    """0 when every claim holds."""
    parser = argparse.ArgumentParser(
        "python -m tests.prove", description="What is claimed of keys, limits and the ledger."
    )
    parser.add_argument("--quick", action="store_true", help="small numbers: a first look")
    parser.add_argument(
        "--only", action="append", default=[], choices=CLAIMS, help="this claim alone"
    )
    arguments = parser.parse_args(given)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        holds = runner.run(
            _all(arguments.only or list(CLAIMS), _QUICK if arguments.quick else _FULL)
        )
    say("\nEvery claim holds." if holds else "\nNot every claim holds.")
    return int(not holds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
