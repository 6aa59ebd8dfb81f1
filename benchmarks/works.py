"""What is measured, and what the gateway must keep: both as data."""

from dataclasses import dataclass
from typing import Literal

from benchmarks.plan import RESOURCE, Plan, Window

STEADY_RATE = 1000  # requests a second
OPEN_STREAMS = 1000
IMAGE_BYTES = 10_000_000
UPLOAD_BYTES = 500 * 1024 * 1024
QUICK_UPLOAD_BYTES = 64 * 1024 * 1024

Combine = Literal["median", "least"]
FigureName = Literal[
    "cpu_us",
    "rate",
    "p50_ms",
    "p99_ms",
    "lag_ms",
    "stream_kb",
    "errors",
    "grown_mb",
    "import_ratio",
    "ready_s",
    "idle_mb",
    "seconds",
]

# Read from a row's processes; of the upstream alone there is nothing to say.
OF_THE_TREE: frozenset[FigureName] = frozenset({"cpu_us", "stream_kb", "grown_mb"})


@dataclass(frozen=True, slots=True)
class Figure:
    """A column. *combine*: what becomes of several windows; the least where others' noise can only add."""

    name: FigureName
    title: str
    combine: Combine = "median"
    digits: int = 0


CPU = Figure("cpu_us", "CPU µs")
RATE = Figure("rate", "per second")
P50 = Figure("p50_ms", "p50 ms", digits=2)
P99 = Figure("p99_ms", "p99 ms", digits=2)
LAG = Figure("lag_ms", "longest wait ms", "least", digits=1)
STREAM = Figure("stream_kb", "KB a stream", digits=1)
ERRORS = Figure("errors", "errors")
GROWN = Figure("grown_mb", "grown MB", digits=1)
IMPORT = Figure("import_ratio", "import × fastapi", digits=2)
READY = Figure("ready_s", "ready s", digits=2)
SECONDS = Figure("seconds", "seconds", "least", digits=2)
IDLE = Figure("idle_mb", "idle MB", digits=0)


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of work. *shown*: the figures that docs/performance.md has of it.

    *rounds*: how many windows each row gets, taken in turns. *is_fresh*: each row is started anew for each.
    *has_own_rate*: the rate is `STEADY_RATE`, or a third of the row's own where that is less.
    """

    name: str
    title: str
    plan: Plan
    figures: tuple[Figure, ...]
    shown: tuple[Figure, ...]
    rounds: int = 3
    is_fresh: bool = False
    has_own_rate: bool = False


WORKS = (
    Work(
        "chat-64",
        "chat completion, 64 clients",
        Plan("closed", clients=64),
        (CPU, RATE, P50, P99, ERRORS),
        (CPU, RATE),
    ),
    Work(
        "chat-1",
        "chat completion, 1 client",
        Plan("closed", clients=1, seconds=2.0),
        (CPU, RATE, P50, P99, ERRORS),
        (P50, P99),
    ),
    Work(
        "chat-steady",
        f"chat completion, {STEADY_RATE:,} a second",
        Plan("open", rate=STEADY_RATE),
        (CPU, RATE, P50, P99, ERRORS),
        (P50, P99),
        has_own_rate=True,
    ),
    Work(
        "resource-64",
        "a file asked for, 64 clients",
        Plan("closed", task=RESOURCE, clients=64),
        (CPU, RATE, P50, P99, ERRORS),
        (CPU, RATE),
    ),
    Work(
        "burst-64",
        "100-event stream at once, 64 clients",
        Plan("closed", task="@burst", clients=64),
        (CPU, RATE, P50, P99, ERRORS),
        (CPU, RATE),
    ),
    Work(
        "trickle-200",
        "200 streams, 50 events a second each; per event",
        Plan("streams", clients=200, rate=50, seconds=4.0, warm_seconds=0.5, ramp_seconds=1.0),
        (CPU, RATE, P50, P99, ERRORS),
        (CPU, P99),
    ),
    Work(
        "open-1000",
        "1,000 streams open, one event a second each; per event",
        Plan(
            "streams",
            clients=OPEN_STREAMS,
            rate=1,
            seconds=4.0,
            warm_seconds=1.0,
            ramp_seconds=2.0,
        ),
        (CPU, STREAM, P50, P99, ERRORS),
        (CPU, STREAM, P99),
        rounds=1,
        is_fresh=True,
    ),
    Work(
        "images",
        "10 MB bodies, small completions beside them",
        Plan("images", rate=500, body_bytes=IMAGE_BYTES, seconds=4.0),
        (LAG, P50, P99, GROWN, ERRORS),
        (LAG, GROWN),
        rounds=2,
        is_fresh=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Bound:
    """What the gateway must keep: *figure* of *work* is at most *most*.

    With *against*, a row of the same run, *most* is how many times that row's figure it may be; *is_added*: how much
    more it may be. *against_work*: that row's figure of another work.
    """

    work: str
    figure: FigureName
    most: float
    against: str = ""
    is_added: bool = False
    unit: str = ""
    against_work: str = ""


# The table of "To reach" in the issue that asked for it; the works above, and some of their own.
BOUNDS = (
    Bound("chat-64", "cpu_us", 7.0, "nginx"),
    Bound("chat-64", "cpu_us", 0.01, "LiteLLM"),
    Bound("resource-64", "cpu_us", 1.5, "mindgate", against_work="chat-64"),
    Bound("burst-64", "cpu_us", 4.0, "nginx"),
    Bound("trickle-200", "cpu_us", 2.0, "nginx"),
    Bound("open-1000", "errors", 0.0),
    Bound("open-1000", "stream_kb", 40.0, unit="KB"),
    Bound("open-1000", "p99_ms", 10.0, "direct", is_added=True, unit="ms"),
    Bound("images", "lag_ms", 20.0, unit="ms"),
    Bound("images", "grown_mb", 4.0, unit="MB"),
    Bound("upload", "grown_mb", 8.0, unit="MB"),
    Bound("upload", "seconds", 1 / 0.6, "nginx"),
    Bound("sockets", "grown_mb", 5.0, unit="MB"),
    Bound("start", "import_ratio", 3.0),  # reliability R23, with storage on
    Bound("start", "ready_s", 1.2, unit="s"),
    Bound("start", "idle_mb", 100.0, unit="MB"),
)


def value_of(figure: FigureName, window: Window) -> float:
    """*figure* of one window of load. KB are 1,000 bytes, MB 1,000,000."""
    values: dict[str, float] = {
        "cpu_us": window.cpu_us,
        "rate": window.rate,
        "p50_ms": window.p50_ms,
        "p99_ms": window.p99_ms,
        "lag_ms": window.max_ms,
        "errors": float(sum(window.errors.values())),
        "stream_kb": (window.resident_during - window.resident_before) / OPEN_STREAMS / 1000,
        "grown_mb": (window.resident_after - window.resident_before) / 1e6,
    }
    return values[figure]
