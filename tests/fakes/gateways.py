"""A real gateway on a loopback socket, in the test's own event loop: what the journeys talk to."""

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from time import time  # noqa: TID251 what a composition root hands out
from typing import Any

import uvicorn
from pydantic import SecretStr

from app.domain.configuration import Configuration, KeyEntry, UpstreamEntry
from app.edge.server import make_server
from app.main.demo import demo_configuration
from app.main.gateway import Gateway, build
from app.main.kept import Kept, kept
from app.main.serving import as_bound, base_url, listeners_of
from app.simulators.server import Simulators
from app.telemetry.logs import Log, make_log

KEY = "sk-test-0123456789abcdef"
OTHER_KEY = "sk-test-fedcba9876543210"


@dataclass(frozen=True)
class RunningGateway:
    """*root* has no `/v1`; *log* holds every line written so far. *kept*: its ledger, where it has one."""

    root: str
    port: int
    gateway: Gateway
    server: uvicorn.Server
    log: io.StringIO
    gateway_log: Log
    simulators: Simulators | None = None
    headers: dict[str, str] = field(default_factory=lambda: {"authorization": f"Bearer {KEY}"})
    kept: Kept | None = None
    admin_port: int | None = None

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"

    def lines(self, event: str = "exchange") -> list[dict[str, Any]]:
        """The log's lines called *event*, oldest first."""
        self.gateway_log.flush()
        rows = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [row for row in rows if row["event"] == event]


@asynccontextmanager
async def running(
    configuration: Configuration, simulators: Simulators | None = None
) -> AsyncIterator[RunningGateway]:
    """A gateway that serves *configuration* on a free port, stopped and awaited at the end."""
    log = io.StringIO()
    free = replace(configuration.server, port=0)
    if free.admin_port is not None:
        free = replace(free, admin_port=0)
    configuration = replace(configuration, server=free, log_format="json")
    gateway_log = make_log("json", log)
    async with AsyncExitStack() as stack:
        listening = [stack.enter_context(one) for one in listeners_of(configuration)]
        configuration = as_bound(configuration, listening)
        stack.enter_context(gateway_log)
        found = await stack.enter_async_context(kept(configuration, gateway_log, time))
        yield await stack.enter_async_context(
            _served(configuration, gateway_log, log, found, listening, simulators)
        )


@asynccontextmanager
async def _served(
    configuration: Configuration,
    gateway_log: Log,
    log: io.StringIO,
    found: Kept | None,
    listening: list[socket.socket],
    simulators: Simulators | None,
) -> AsyncIterator[RunningGateway]:
    gateway = build(configuration, gateway_log, found)
    server = make_server(
        gateway.app,
        host=configuration.server.host,
        port=0,
        in_flight=gateway.in_flight,
        drain_seconds=configuration.server.drain_seconds,
    )
    root = base_url(listening[0]).removesuffix("/v1")
    async with asyncio.TaskGroup() as group:
        # Without uvicorn's signal handlers: the test's own runner keeps those.
        serving = group.create_task(server._serve(listening))
        while not server.started:
            if serving.done():
                raise RuntimeError(f"the gateway did not start: {log.getvalue()}")
            await asyncio.sleep(0)
        try:
            port = listening[0].getsockname()[1]
            yield RunningGateway(
                root,
                port,
                gateway,
                server,
                log,
                gateway_log,
                simulators,
                kept=found,
                admin_port=configuration.server.admin_port,
            )
        finally:
            server.should_exit = True  # uvicorn closes the listeners
            # Cancelled, it would leave them open, and the loop for ever.
            await asyncio.wait([serving])


def with_keys(configuration: Configuration, *keys: KeyEntry) -> Configuration:
    """*configuration* that takes *keys*; without any, the one that `RunningGateway.headers` carries."""
    return replace(configuration, keys=keys or (KeyEntry("test", SecretStr(KEY)),))


@asynccontextmanager
async def running_demo(**changes: Any) -> AsyncIterator[RunningGateway]:
    """A gateway over simulators of its own: the demo's configuration with *changes* to it."""
    async with await Simulators.start() as simulators:
        configuration = demo_configuration(simulators, Configuration().server)
        configuration = replace(
            with_keys(configuration),
            **{"server": replace(configuration.server, drain_seconds=0.0), **changes},
        )
        async with running(configuration, simulators) as gateway:
            yield gateway


def upstream_at(url: str, *, name: str = "scripted", **fields: Any) -> UpstreamEntry:
    """An entry of the generic dialect at *url*."""
    fields = {"dialect": "openai", "api_key": SecretStr("sk-upstream-0123456789"), **fields}
    return UpstreamEntry(name=name, base_url=url, **fields)
