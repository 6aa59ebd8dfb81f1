"""
Builds the gateway from its configuration, floor by floor, and starts and stops what lives as long as it does.

Nothing happens at import and nothing here is global: two gateways in one process know nothing of each other.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from time import monotonic
from time import time as wall_seconds  # noqa: TID251 the composition root hands the clocks out

from app.access.authenticator import Authenticator, OpenDoor
from app.access.permissions import Permissions
from app.api.control_plane import ControlPlaneParts
from app.api.gatekeeper import Gatekeeper
from app.domain.addresses import is_loopback
from app.domain.configuration import Configuration
from app.edge.data_plane import DataPlane
from app.edge.request_ids import IdSource
from app.main.application import Application, make_application
from app.main.senders import make_sender
from app.proxy.attempts import Attempts
from app.proxy.in_flight import InFlight
from app.proxy.models import ModelDesk
from app.proxy.pipeline import KeyCheck, Pipeline, Steps
from app.proxy.relay import ChatRelay
from app.proxy.settlement import Settlement
from app.routing.catalogue import Catalogue
from app.routing.finder import RouteFinder
from app.routing.refresher import Refresher
from app.routing.table import RoutingTable
from app.telemetry.logs import Log
from app.telemetry.metrics import Metrics
from app.upstreams.client import Sender
from app.upstreams.upstream import Upstream, prepare
from app.wire.connecting import system_trust

VERSION = version("mindgate")


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
    configuration: Configuration, log: Log, *, now: Callable[[], float] = monotonic
) -> Gateway:
    """The gateway that *configuration* describes. Call it inside the event loop that will run it.

    *now* counts as the loop's own clock does, which uvloop reads in whole milliseconds: too coarse for our share.
    """
    upstreams = prepared_upstreams(configuration)
    trust = system_trust()
    senders = {name: make_sender(upstream, trust) for name, upstream in upstreams.items()}
    catalogue = Catalogue(upstreams.values())
    refresher = Refresher(upstreams, senders, catalogue, log)
    metrics = Metrics(VERSION, dropped_log_lines=lambda: log.dropped_lines)
    in_flight, new_request_id = InFlight(), IdSource()
    table = RoutingTable(upstreams, configuration.routes, configuration.default_upstream, catalogue)
    finder = RouteFinder(table, catalogue, refresher.hurry)
    permissions = Permissions(upstreams)
    attempts = Attempts(upstreams, senders, metrics, now)
    steps = Steps(
        upstreams=upstreams,
        keys=_keys(configuration),
        finder=finder,
        permissions=permissions,
        attempts=attempts,
        relay=ChatRelay(configuration.streams, now=now, wall_seconds=wall_seconds),
        models=ModelDesk(
            upstreams,
            catalogue,
            finder,
            attempts,
            permissions=permissions,
            now=now,
            on_deleted=refresher.hurry,
        ),
        settlement=Settlement(metrics, log, now),
        in_flight=in_flight,
    )
    data_plane = DataPlane(
        Pipeline(steps, now=now, log=log),
        max_body_bytes=configuration.server.max_body_bytes,
        cors_origins=configuration.server.cors_origins,
        new_request_id=new_request_id,
    )

    parts = ControlPlaneParts(
        version=VERSION,
        is_draining=lambda: in_flight.is_draining,
        metrics_page=metrics.page,
        gatekeeper=Gatekeeper(
            is_loopback(configuration.server.host),
            configuration.server.metrics_token,
            configuration.admin_key,
        ),
        new_request_id=new_request_id,
    )
    app = make_application(data_plane, parts, partial(_lifetime, senders, refresher))
    return Gateway(app, in_flight)


@asynccontextmanager
async def _lifetime(
    senders: Mapping[str, Sender], refresher: Refresher, _: object
) -> AsyncIterator[None]:
    """What runs beside the exchanges, and what is closed behind the last one."""
    async with AsyncExitStack() as stack:
        for sender in senders.values():
            stack.push_async_callback(sender.aclose)
        async with asyncio.TaskGroup() as group:
            refreshing = group.create_task(refresher.run())
            yield
            refreshing.cancel()


def _keys(configuration: Configuration) -> KeyCheck:
    if configuration.auth_mode == "none":
        return OpenDoor(configuration.server.cors_origins)
    return Authenticator(
        configuration.keys, pepper=secrets.token_bytes(32), now_seconds=wall_seconds
    )
