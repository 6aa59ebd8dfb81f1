"""
The command behind `make bench` and `make bench-peers`.

    python -m benchmarks [--quick] [--only WORK]… [--seconds S] [--peers] [--against TREE]… [--markdown]
"""

import argparse
import fcntl
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from rich.console import Console

from benchmarks import gateways, peers, table
from benchmarks.gateways import ROOT, Row
from benchmarks.processes import DidNotStart
from benchmarks.results import Results
from benchmarks.run import Options, Say, bench
from benchmarks.works import WORKS

HOME = ROOT / ".bench"
_WORK_NAMES = [*(work.name for work in WORKS), "start", "upload", "sockets"]


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """What the command was told. Ends the process where that makes no sense."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description="What the gateway costs, next to nginx, in one run."
    )
    parser.add_argument("--quick", action="store_true", help="one short window each: a first look")
    parser.add_argument(
        "--only", action="append", default=[], choices=_WORK_NAMES, help="this work alone"
    )
    parser.add_argument("--seconds", type=float, help="the length of each window")
    parser.add_argument("--peers", action="store_true", help="other gateways too")
    parser.add_argument(
        "--peer", action="append", default=[], choices=[one.name for one in peers.PEERS],
        help="this one of them alone",
    )  # fmt: skip
    parser.add_argument(
        "--against", action="append", default=[], type=Path, metavar="TREE",
        help="another checkout of Mindgate, as a row of its own",
    )  # fmt: skip
    parser.add_argument(
        "--product", type=Path, default=ROOT, metavar="TREE", help="measure this checkout instead"
    )
    parser.add_argument(
        "--markdown", action="store_true", help="print the last run for docs/performance.md"
    )
    return parser.parse_args(given)


def options_of(told: argparse.Namespace, folder: Path, say: Say) -> Options:
    """What to measure, in *folder*."""
    return Options(
        rows=rows(told, say),
        folder=folder,
        only=told.only,
        seconds=told.seconds,
        is_quick=told.quick,
        product=told.product.resolve(),
    )


@contextmanager
def alone(say: Say) -> Iterator[None]:
    """No other run of this tree is under way: two at once would measure each other."""
    with (HOME / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another run is under way; this one waits for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def rows(told: argparse.Namespace, say: Say) -> list[Row]:
    """The gateways to measure, the floor first."""
    found = [gateways.nginx_row(), gateways.mindgate_row(told.product.resolve())]
    found += [
        gateways.mindgate_row(tree.resolve(), f"mindgate {tree.name}") for tree in told.against
    ]
    if told.peers or told.peer:
        found += [
            row for row in peers.rows(HOME / "peers", say) if not told.peer or row.name in told.peer
        ]
    return found


def keep(results: Results, folder: Path) -> None:
    """The run is in *folder* as JSON and Markdown, and as the last one."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = "".join(sign for sign in results.machine.date if sign.isdigit())
    text = msgspec.json.format(msgspec.json.encode(results), indent=1)
    for name in (stamp, "last"):
        (folder / f"{name}.json").write_bytes(text)
        (folder / f"{name}.md").write_text(table.markdown(results), encoding="utf-8")


def main() -> None:
    """The command."""
    told = arguments(sys.argv[1:])
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    kept = HOME / "results"
    if told.markdown:
        last = msgspec.json.decode((kept / "last.json").read_bytes(), type=Results)
        sys.stdout.write(table.markdown(last))
        return
    if sys.platform != "linux":
        sys.exit("the benchmarks read /proc: they need Linux")
    progress = Console(stderr=True, highlight=False, style="dim")

    def say(text: str) -> None:
        progress.print(text, markup=False, soft_wrap=True)

    HOME.mkdir(exist_ok=True)
    try:
        with alone(say), TemporaryDirectory(prefix="run-", dir=HOME) as folder:
            results = bench(options_of(told, Path(folder), say), say)
    except DidNotStart as error:
        sys.exit(str(error))
    table.show(results, console)
    keep(results, kept)
    console.print(f"kept in {kept.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
