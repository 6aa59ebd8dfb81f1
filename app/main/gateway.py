"""
Builds the gateway from its configuration, floor by floor, and starts and stops what lives as long as it does.

Nothing happens at import and nothing here is global: two gateways in one process know nothing of each other.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from time import monotonic
from time import time as wall_seconds  # noqa: TID251 the composition root hands the clocks out

from app.access.authenticator import Authenticator, OpenDoor
from app.access.key_ring import KeyRing
from app.access.memory_objects import MemoryObjects
from app.access.pepper import passing_peppers
from app.access.permissions import Permissions
from app.access.register import Register
from app.api.control_plane import ControlPlaneParts, Readiness
from app.api.gatekeeper import Gatekeeper
from app.domain.addresses import is_loopback
from app.domain.configuration import Configuration
from app.edge import data_plane as hot_path
from app.edge.data_plane import DataPlane
from app.edge.request_ids import IdSource
from app.limits.admission import Admission
from app.limits.memory_counters import MemoryCounters
from app.limits.sweeping import Sweeper
from app.main.admin import admin_plane
from app.main.application import Application, Lifespan, make_application
from app.main.desks import Shared, desks
from app.main.kept import Kept
from app.main.senders import make_sender
from app.main.supervision import run_for_ever
from app.proxy.attempts import Attempts
from app.proxy.billing import Billing
from app.proxy.in_flight import InFlight
from app.proxy.model_rights import ModelRights
from app.proxy.models import ModelDesk
from app.proxy.new_models import NewModels
from app.proxy.pipeline import KeyCheck, Pipeline, Steps
from app.proxy.relay import ChatRelay
from app.proxy.self_service import RecentFailures, SelfService
from app.proxy.settlement import Settlement
from app.proxy.stored_chats import StoredChats
from app.routing.catalogue import Catalogue
from app.routing.finder import RouteFinder
from app.routing.refresher import Refresher
from app.routing.table import RoutingTable
from app.telemetry.logs import Log
from app.telemetry.metrics import Metrics, Watched
from app.upstreams.client import Sender
from app.upstreams.native_routes import native_paths
from app.upstreams.upstream import Upstream, prepare
from app.usage.price_book import PriceBook
from app.wire.connecting import system_trust

VERSION = version("mindgate")
BUILD = "interpreted" if hot_path.__file__.endswith(".py") else "compiled"
_Run = Callable[[], Coroutine[None, None, None]]
_LEASE_GRACE_SECONDS = 60.0  # beyond the longest exchange (reliability J1)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway ready to be served: *app* is the ASGI application, *in_flight* what a stop has to wait for."""

    app: Application
    in_flight: InFlight


def prepared_upstreams(configuration: Configuration) -> dict[str, Upstream]:
    """The configured upstreams by name, in their order."""
    return {
        entry.name: prepare(entry, configuration.timeouts, VERSION)
        for entry in configuration.upstreams
    }


def build(
    configuration: Configuration,
    log: Log,
    kept: Kept | None = None,
    *,
    now: Callable[[], float] = monotonic,
) -> Gateway:
    """The gateway that *configuration* describes, on what is *kept*; None keeps nothing. Call it inside the event loop
    that will run it.

    *now* counts as the loop's own clock does, which uvloop reads in whole milliseconds: too coarse for our share.
    """
    upstreams = prepared_upstreams(configuration)
    trust = system_trust()
    senders = {name: make_sender(upstream, trust) for name, upstream in upstreams.items()}
    catalogue = Catalogue(upstreams.values())
    register = _register(kept, now)
    newcomers = NewModels(register, wall_seconds)
    refresher = Refresher(upstreams, senders, catalogue, log, newcomers)
    in_flight = InFlight()
    money = _money(configuration, kept, upstreams, now)
    metrics = Metrics(VERSION, _watched(log, kept, money.sweeper), BUILD)
    table = RoutingTable(upstreams, configuration.routes, configuration.default_upstream, catalogue)
    shared = Shared(
        configuration,
        upstreams,
        RouteFinder(table, catalogue, refresher.hurry),
        ModelRights(Permissions(upstreams), register),
        register,
        Attempts(upstreams, senders, money.billing, metrics, now),
        money.billing,
        money.prices,
        metrics,
        log,
        trust,
        now,
        refresher.hurry,
    )
    failures = RecentFailures()
    steps = _steps(
        shared,
        catalogue,
        keys=_keys(configuration, kept, now),
        self_service=_self_service(money.admission, failures, kept),
        settlement=Settlement(money.billing, failures, metrics, log, now),
        in_flight=in_flight,
    )
    beside: dict[str, _Run] = {"refresher": refresher.run, "sweeper": money.sweeper.run}
    if kept is not None:
        beside["recorder"] = kept.recorder.run
        beside["objects"] = register.run
        beside["keys"] = partial(kept.ring.watch, kept.keys, log.warning)
    if configuration.auth_mode == "none" and configuration.admin_key is not None:
        log.warning("auth.mode is none: keys and their limits are not asked for")
    pipeline = Pipeline(steps, now=now, wall_seconds=wall_seconds, log=log)
    planes = _Planes(configuration, kept, money, metrics, in_flight)
    app = planes.joined(pipeline, partial(_lifetime, senders, beside, log))
    return Gateway(app, in_flight)


@dataclass(frozen=True, slots=True)
class _Money:
    """What charges and limits."""

    admission: Admission
    sweeper: Sweeper
    prices: PriceBook
    billing: Billing


def _money(
    configuration: Configuration,
    kept: Kept | None,
    upstreams: Mapping[str, Upstream],
    now: Callable[[], float],
) -> _Money:
    longest = max((one.timeouts.total_seconds for one in upstreams.values()), default=0.0)
    lease_seconds = longest + _LEASE_GRACE_SECONDS
    admission = Admission(
        MemoryCounters(), now=now, wall_seconds=wall_seconds, lease_seconds=lease_seconds
    )
    if kept is not None:
        admission.load(kept.spending, kept.starts)
    prices = PriceBook(configuration.prices)
    billing = Billing(
        upstreams,
        admission,
        prices,
        kept.journal if kept else None,
        configuration.limits,
        now=now,
        lease_seconds=lease_seconds,
    )
    return _Money(admission, Sweeper(admission), prices, billing)


@dataclass(frozen=True, slots=True)
class _Planes:
    """The two planes and what they show."""

    configuration: Configuration
    kept: Kept | None
    money: _Money
    metrics: Metrics
    in_flight: InFlight

    def joined(self, pipeline: Pipeline, lifespan: Lifespan) -> Application:
        """Both as one application."""
        server, new_request_id = self.configuration.server, IdSource(wall_seconds)
        data_plane = DataPlane(
            pipeline,
            max_body_bytes=server.max_body_bytes,
            cors_origins=server.cors_origins,
            new_request_id=new_request_id,
        )
        money = self.money
        parts = ControlPlaneParts(
            version=VERSION,
            readiness=self._readiness,
            metrics_page=self.metrics.page,
            gatekeeper=_gatekeeper(self.configuration),
            new_request_id=new_request_id,
            admin=admin_plane(
                self.configuration, self.kept, money.admission, money.prices, wall_seconds
            ),
        )
        return make_application(data_plane, parts, lifespan, admin_port=server.admin_port)

    def _readiness(self) -> Readiness:
        if self.in_flight.is_draining:
            return "draining"
        if self.kept is None or not self.kept.journal.is_failing:
            return "ok"
        accepts = self.configuration.usage.on_journal_failure == "accept"
        return "degraded" if accepts else "unavailable"


@asynccontextmanager
async def _lifetime(
    senders: Mapping[str, Sender],
    beside: Mapping[str, _Run],
    log: Log,
    _: object,
) -> AsyncIterator[None]:
    """What runs beside the exchanges, and what is closed behind the last one."""
    async with AsyncExitStack() as stack:
        for sender in senders.values():
            stack.push_async_callback(sender.aclose)
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(run_for_ever(name, run, log)) for name, run in beside.items()
            ]
            yield
            for one in running:
                one.cancel()


def _watched(log: Log, kept: Kept | None, sweeper: Sweeper) -> Watched:
    if kept is None:
        return Watched(lambda: log.dropped_lines, leases_expired=lambda: sweeper.expired)
    return Watched(
        lambda: log.dropped_lines,
        journal_pending=lambda: kept.journal.pending,
        journal_dropped=lambda: kept.journal.dropped_records + kept.journal.dropped_claims,
        leases_expired=lambda: sweeper.expired,
    )


def _steps(
    shared: Shared,
    catalogue: Catalogue,
    *,
    keys: KeyCheck,
    self_service: SelfService,
    settlement: Settlement,
    in_flight: InFlight,
) -> Steps:
    upstreams, rights, now = shared.upstreams, shared.rights, shared.now
    return Steps(
        upstreams=upstreams,
        keys=keys,
        finder=shared.finder,
        rights=rights,
        billing=shared.billing,
        attempts=shared.attempts,
        relay=ChatRelay(shared.configuration.streams, now=now, wall_seconds=wall_seconds),
        models=ModelDesk(
            upstreams,
            catalogue,
            shared.finder,
            shared.attempts,
            rights=rights,
            now=now,
            on_deleted=shared.on_model,
        ),
        desks=desks(shared),
        natives={name: native_paths(upstream) for name, upstream in upstreams.items()},
        stored=StoredChats(upstreams, shared.register),
        self_service=self_service,
        settlement=settlement,
        in_flight=in_flight,
    )


def _register(kept: Kept | None, now: Callable[[], float]) -> Register:
    """Whose is what; where nothing is kept, for as long as the process lives."""
    if kept is None:
        memory = MemoryObjects()
        return Register(memory, memory.note, now=now)
    flush = kept.recorder.flush
    return Register(kept.objects, kept.journal.claim, flush, models=kept.models, now=now)


def _self_service(admission: Admission, failures: RecentFailures, kept: Kept | None) -> SelfService:
    if kept is None:
        return SelfService(admission, failures, None, None)
    return SelfService(admission, failures, kept.records, kept.recorder.flush)


def _keys(configuration: Configuration, kept: Kept | None, now: Callable[[], float]) -> KeyCheck:
    if configuration.auth_mode == "none":
        return OpenDoor(configuration.server.cors_origins)
    ring = kept.ring if kept else KeyRing(configuration.keys, passing_peppers())
    return Authenticator(ring, now_seconds=wall_seconds, now=now)


def _gatekeeper(configuration: Configuration) -> Gatekeeper:
    server = configuration.server
    listens_to = server.host if server.admin_port is None else server.admin_host
    return Gatekeeper(
        is_loopback(listens_to),
        server.metrics_token,
        configuration.admin_key,
        configuration.viewer_key,
    )
