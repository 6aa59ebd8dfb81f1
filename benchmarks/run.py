"""One run, straight through: everything is started, each work is done by all rows in turns, everything is ended."""

import os
import platform
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

import msgspec

from benchmarks import gateways, startup
from benchmarks.gateways import ROOT, Row, Running
from benchmarks.plan import Order, Plan, Window
from benchmarks.processes import Cores, DidNotStart, Process, resident_bytes, split_cores, start
from benchmarks.results import Machine, Results
from benchmarks.uploading import Uploaded, UploadOrder
from benchmarks.works import (
    BOUNDS,
    QUICK_UPLOAD_BYTES,
    STEADY_RATE,
    UPLOAD_BYTES,
    WORKS,
    Work,
)

_PATIENCE_SECONDS = 90.0  # of one window beyond its own length
_QUICK_SECONDS = 1.0
_IDLE_SECONDS = 1.0  # from the first answer to the reading of idle memory
_SETTLE = (
    Plan("closed", clients=8, seconds=0.5, warm_seconds=0.0),
    Plan("closed", task="@burst", clients=8, seconds=0.5, warm_seconds=0.0),
)
_PROBE = Plan("closed", clients=64, seconds=1.0)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure. *only*: names of works, all when empty. *seconds*: of each window, None for its own.
    *is_quick*: one short window of each that has a bound. *rows*: the gateways beside the upstream alone."""

    rows: Sequence[Row]
    folder: Path
    only: Sequence[str] = ()
    seconds: float | None = None
    is_quick: bool = False
    product: Path = ROOT

    def wants(self, work: str) -> bool:
        """Whether *work* is to be done: a quick run does what has a bound."""
        if self.only:
            return work in self.only
        return not self.is_quick or any(bound.work == work for bound in BOUNDS)

    def wants_direct(self, work: str) -> bool:
        """Whether the upstream alone is measured too: a quick run does so where a bound needs it."""
        needed = {bound.work for bound in BOUNDS if bound.against == "direct"}
        return not self.is_quick or work in needed


def bench(options: Options, say: Say) -> Results:
    """The results of a whole run. Raises DidNotStart when there is nothing to measure against."""
    cores = split_cores(os.sched_getaffinity(0))
    _allow_files()
    results = Results(_machine(cores))
    with ExitStack() as stack:
        upstream, port = gateways.start_upstream(options.folder, cores)
        stack.callback(upstream.stop)
        bench = _Bench(options, say, results, cores, upstream, port)
        with bench.rows_running():
            for work in WORKS:
                if options.wants(work.name):
                    bench.do(work)
            bench.measure_upload()
            bench.measure_sockets()
        bench.measure_start()
    return results


class _Bench:
    """What one run holds."""

    def __init__(
        self,
        options: Options,
        say: Say,
        results: Results,
        cores: Cores,
        upstream: Process,
        upstream_port: int,
    ) -> None:
        self._options, self._say, self._results = options, say, results
        self._cores, self._upstream, self._port = cores, upstream, upstream_port
        self._direct = gateways.direct(upstream_port)
        self._running: dict[str, Running] = {}

    @contextmanager
    def rows_running(self) -> Iterator[None]:
        """Every row that can be started is, and is ended afterwards."""
        try:
            for row in self._options.rows:
                self._start(row)
            yield
        finally:
            for running in self._running.values():
                running.stop()

    def _start(self, row: Row) -> None:
        self._say(f"starting {row.name}")
        try:
            running = gateways.run(row, self._options.folder, self._port, self._cores)
        except (DidNotStart, OSError) as error:
            self._say(f"{row.name}: {error}")
            self._results.missing[row.name] = str(error)
            self._running.pop(row.name, None)
            return
        self._running[row.name] = running
        self._results.versions[row.name] = row.version
        if running.process:
            self._results.put("start", row.name, "ready_s", running.process.ready_seconds)
        sleep(_IDLE_SECONDS)
        idle = resident_bytes(running.target.pid) / 1e6
        self._results.put("start", row.name, "idle_mb", idle)

    # --- works --------------------------------------------------------------------------------------------------

    def do(self, work: Work) -> None:
        """*work* is done by every row, in turns."""
        self._say(work.title)
        rounds = 1 if self._options.is_quick else work.rounds
        if self._options.wants_direct(work.name):
            self._measure(work, self._direct)
        for _ in range(rounds):
            for row in self._options.rows:
                self._turn(work, row)

    def _turn(self, work: Work, row: Row) -> None:
        if row.name not in self._running:
            return
        if work.is_fresh:
            self._running[row.name].stop()
            self._start(row)
            if row.name not in self._running:
                return
            for plan in _SETTLE:
                self._window(plan, self._running[row.name])
            sleep(_IDLE_SECONDS)
        self._measure(work, self._running[row.name])

    def _measure(self, work: Work, running: Running) -> None:
        plan = self._plan(work, running)
        try:
            window = self._window(plan, running)
        except OSError as error:
            self._say(f"{running.name}: {error}")
            window = Window(seconds=plan.seconds, done=0, errors={str(error)[:200]: 1})
        self._results.add(work.name, running.name, window)
        if window.errors:
            self._say(f"  {running.name}: {window.errors}")

    def _plan(self, work: Work, running: Running) -> Plan:
        plan = work.plan
        if work.has_own_rate:
            rate = min(STEADY_RATE, int(self._reached(running) / 3) or 1)
            plan = msgspec.structs.replace(plan, rate=rate)
        seconds = self._options.seconds
        if self._options.is_quick:
            seconds = min(plan.seconds, seconds or _QUICK_SECONDS)
        return msgspec.structs.replace(plan, seconds=seconds) if seconds else plan

    def _reached(self, running: Running) -> float:
        """Completions a second with 64 clients; from a short window where that was not measured."""
        known = self._results.get("chat-64", running.name, "rate")
        return self._window(_PROBE, running).rate if known is None else known

    def _window(self, plan: Plan, running: Running) -> Window:
        """One window. Raises OSError when the load generator fails."""
        order = Order(plan, running.target, self._upstream.pid, tuple(self._cores.gateway))
        out = self._ask("load", msgspec.json.encode(order).decode(), plan.seconds)
        return msgspec.json.decode(out, type=Window)

    def _ask(self, module: str, argument: str, seconds: float) -> str:
        """What a module of ours prints. Raises OSError."""
        process = start(
            module,
            [sys.executable, "-m", f"benchmarks.{module}", argument],
            folder=self._options.folder,
            cores=self._cores.load,
            environment={"PYTHONPATH": f"{self._options.product}{os.pathsep}{ROOT}"},
            piped=True,
        )
        try:
            out, _ = process.popen.communicate(timeout=seconds + _PATIENCE_SECONDS)
        except TimeoutError as error:
            raise OSError(f"{module} did not end: {error}") from None
        finally:
            process.stop()
        if process.popen.returncode:
            raise OSError(f"{module} failed: {process.last_words()}")
        return out

    # --- what no load shows -------------------------------------------------------------------------------------

    def measure_start(self) -> None:
        """The processor time of our imports, as a multiple of FastAPI's."""
        if not self._options.wants("start"):
            return
        self._say("imports")
        runs = 2 if self._options.is_quick else 7
        seconds = startup.import_seconds(self._options.product, self._cores.gateway, runs)
        ratio = seconds[startup.SERVING] / seconds[startup.FASTAPI]
        self._results.put("start", "mindgate", "import_ratio", ratio)

    def measure_upload(self) -> None:
        """How long an upload takes through nginx and through the gateway, and by how much each grows."""
        total = QUICK_UPLOAD_BYTES if self._options.is_quick else UPLOAD_BYTES
        for name, running in self._besides("upload"):
            order = msgspec.json.encode(UploadOrder(running.target, total)).decode()
            try:
                out = self._ask("uploading", order, 0.0)
            except OSError as error:
                self._missing("upload", name, error)
                continue
            found = msgspec.json.decode(out, type=Uploaded)
            self._results.put("upload", name, "grown_mb", found.grown_bytes / 1e6)
            self._results.put("upload", name, "seconds", found.seconds)

    def measure_sockets(self) -> None:
        """By how much the gateway grows for idle websockets."""
        for name, running in self._besides("sockets"):
            if name == "nginx":
                continue
            try:
                out = self._ask("sockets", msgspec.json.encode(running.target).decode(), 0.0)
            except OSError as error:
                self._missing("sockets", name, error)
            else:
                self._results.put("sockets", name, "grown_mb", int(out) / 1e6)

    def _besides(self, work: str) -> Iterator[tuple[str, Running]]:
        """nginx and ourselves, where *work* is to be done: other gateways have no such routes."""
        if not self._options.wants(work):
            return
        self._say(work)
        for row in self._options.rows:
            if row.name not in ("nginx", "mindgate") or row.name not in self._running:
                continue
            self._running[row.name].stop()
            self._start(row)  # anew: what a load left free would hide what is needed now
            if row.name in self._running:
                yield row.name, self._running[row.name]

    def _missing(self, work: str, row: str, error: OSError) -> None:
        self._results.missing[f"{work} of {row}"] = str(error)
        self._say(str(error))


def _allow_files() -> None:
    """Thousands of connections need as many descriptors; children inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _machine(cores: Cores) -> Machine:
    return Machine(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        processor=_processor(),
        cores=len(cores.gateway | cores.load),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        command=" ".join(sys.argv[1:]),
        load_cores=len(cores.load),
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
