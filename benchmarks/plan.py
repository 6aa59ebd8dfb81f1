"""What a load generator is told, and what it says afterwards: the two messages between processes."""

from typing import Literal

import msgspec

Kind = Literal["closed", "open", "streams", "images"]

RESOURCE = "@resource"  # a task of a closed loop: GET of one file, in place of a chat


class Target(msgspec.Struct, frozen=True):
    """A server to put load on, and whose figures are read meanwhile. *pid*: the root of its tree; 0: nobody's."""

    port: int
    model: str
    path: str = "/v1/chat/completions"
    fields: tuple[tuple[str, str], ...] = ()
    pid: int = 0


class Plan(msgspec.Struct, frozen=True):
    """One window of load.

    *closed*: each of *clients* sends its next request when the answer to the last is complete. *open*: *rate* requests
    a second, whatever comes back. *streams*: *clients* streams, opened over *ramp_seconds*, with *rate* events a second
    each. *images*: one client sends bodies of *body_bytes* one after the other, beside small requests at *rate*.
    """

    kind: Kind
    task: str = ""
    clients: int = 1
    rate: int = 0
    seconds: float = 3.0
    warm_seconds: float = 0.5
    ramp_seconds: float = 0.0
    body_bytes: int = 0


class Order(msgspec.Struct, frozen=True):
    """A plan, whom it is for, and what else is read: the upstream's process and the gateway's cores."""

    plan: Plan
    target: Target
    upstream_pid: int = 0
    cores: tuple[int, ...] = ()


class Window(msgspec.Struct):
    """What was seen between the end of the warm-up and the end of the window.

    *done*: right answers, or events where the plan is of streams. Latencies are in milliseconds: of a whole answer
    from when it was due; of an event from when the upstream wrote it. *load_share*: how busy the load side's core was
    with the load and the upstream. *foreign_share*: how much of the gateway's core others used.
    """

    seconds: float
    done: int
    errors: dict[str, int] = msgspec.field(default_factory=dict)
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0
    cpu_seconds: float = 0.0
    load_share: float = 0.0
    foreign_share: float = 0.0
    resident_before: int = 0
    resident_during: int = 0
    resident_after: int = 0

    @property
    def rate(self) -> float:
        """Right answers, or events, per second."""
        return self.done / self.seconds

    @property
    def cpu_us(self) -> float:
        """Processor time of the whole tree for each, in microseconds; 0 when nothing was done."""
        return self.cpu_seconds / self.done * 1e6 if self.done else 0.0
