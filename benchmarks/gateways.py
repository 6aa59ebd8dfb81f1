"""
The rows of the table: who is measured, and how each is started.

A row's program gets one core. It is asked for a completion until the right status comes; that is its ready time.
"""

import secrets
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import bodies, nginx
from benchmarks.plan import Target
from benchmarks.processes import Cores, DidNotStart, Process, start, wait_until_right

ROOT = Path(__file__).parents[1]
_READY_SECONDS = 90.0
_SERVE = "from app.cli.main import run; run()"


@dataclass(frozen=True, slots=True)
class Start:
    """How a row's program is started: what to run, with which environment, and how a client then reaches it."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    model: str = bodies.MODEL
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One gateway. *prepare* is given its folder, its port and the upstream's; it may raise DidNotStart."""

    name: str
    prepare: Callable[[Path, int, int], Start]
    version: str = ""


@dataclass(slots=True)
class Running:
    """A row that answers. *process* is None for the upstream itself, which nothing stands before."""

    name: str
    target: Target
    process: Process | None

    def stop(self) -> None:
        """Its processes are gone."""
        if self.process:
            self.process.stop()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def direct(upstream_port: int) -> Running:
    """The upstream without anything before it: what the load side alone can do."""
    return Running("direct", Target(upstream_port, bodies.MODEL), None)


def run(row: Row, folder: Path, upstream_port: int, cores: Cores) -> Running:
    """*row* is started and answers. Raises DidNotStart."""
    port = free_port()
    place = folder / row.name.replace("/", "-").replace(" ", "-")
    place.mkdir(parents=True, exist_ok=True)
    how = row.prepare(place, port, upstream_port)
    process = start(
        "program", how.command, folder=place, cores=cores.gateway, environment=how.environment
    )
    process.name = row.name
    target = Target(port, how.model, fields=how.fields, pid=process.pid)
    request = bodies.post(
        target.path,
        f"127.0.0.1:{port}",
        bodies.chat("", model=how.model, stream=False),
        (*how.fields, ("connection", "close")),
    )
    try:
        wait_until_right(process, port, request, _READY_SECONDS)
    except DidNotStart:
        process.stop()
        raise
    return Running(row.name, target, process)


# --- nginx and ourselves --------------------------------------------------------------------------------------------


def nginx_row() -> Row:
    """The floor."""

    def prepare(folder: Path, port: int, upstream_port: int) -> Start:
        program = nginx.find()
        if program is None:
            raise DidNotStart("nginx is not installed: apt-get install nginx")
        path = nginx.configure(folder, port, upstream_port)
        return Start([program, "-p", str(folder), "-c", str(path)])

    return Row("nginx", prepare)


_CONFIGURATION = """\
server: {{host: 127.0.0.1, port: {port}}}
upstreams:
  bench: {{base_url: "http://127.0.0.1:{upstream}/v1", models: ["bench-*"], api_key: "{upstream_key}"}}
  robots:
    dialect: openmind
    base_url: "http://127.0.0.1:{upstream}"
    api_key: "{upstream_key}"
keys:
  - name: bench
    key: "{key}"
    models: ["bench-*", "robots/*"]
    team: bench
    rpm: 1000000000
    tpm: 1000000000
    concurrency: 1000000
    budget_usd: 1000000000
    budget_period: month
prices:
  bench/bench-*: {{input_usd_per_million: 0.15, output_usd_per_million: 0.60}}
storage: {{url: "sqlite:///{folder}/mindgate.db"}}
"""


def mindgate_row(product: Path = ROOT, name: str = "mindgate") -> Row:
    """The gateway of the tree at *product*, with everything on: key check and its list of models, limits, a budget and
    its team's, prices, the journal and the ledger on disk, metrics, and the log of exchanges in a file."""

    def prepare(folder: Path, port: int, upstream_port: int) -> Start:
        if not (product / "app/cli/main.py").is_file():  # else Python would find the installed one
            raise DidNotStart(f"{product} holds no Mindgate")
        key, upstream_key = (f"sk-{secrets.token_hex(24)}" for _ in range(2))
        path = folder / "mindgate.yaml"
        text = _CONFIGURATION.format(
            port=port, upstream=upstream_port, key=key, upstream_key=upstream_key, folder=folder
        )
        path.write_text(text, encoding="utf-8")
        return Start(
            [sys.executable, "-c", _SERVE, "serve", "--config", str(path)],
            environment={
                "PYTHONPATH": str(product),
                # as `make run` and the image set them
                "MALLOC_MMAP_THRESHOLD_": "1048576",
                "MALLOC_TRIM_THRESHOLD_": "1048576",
            },
            fields=(("authorization", f"Bearer {key}"),),
        )

    return Row(name, prepare)


def start_upstream(folder: Path, cores: Cores) -> tuple[Process, int]:
    """The upstream runs: its process and its port."""
    process = start(
        "upstream",
        [sys.executable, "-m", "benchmarks.upstream"],
        folder=folder,
        cores=cores.load,
        environment={"PYTHONPATH": str(ROOT)},
        piped=True,
    )
    line = process.popen.stdout.readline() if process.popen.stdout else ""
    with suppress(ValueError):
        return process, int(line)
    process.stop()
    raise DidNotStart(f"the upstream ended: {process.last_words()}")
