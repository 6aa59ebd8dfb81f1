"""Serving until a signal says stop: the socket, the server, and what a person is told at the start."""

import asyncio
import gc
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from time import time as wall_seconds  # noqa: TID251 the composition root hands the clocks out

from pydantic import SecretStr

from app.access.derived_key import MADE_KEY_NAME, derived_key
from app.domain.addresses import is_loopback
from app.domain.configuration import Configuration, KeyEntry
from app.domain.errors import ConfigurationError
from app.edge.server import make_server
from app.main.gateway import build
from app.main.kept import kept
from app.main.supervision import loop_errors
from app.telemetry.logs import make_log

_BACKLOG = 2048
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 compared, never bound

Announce = Callable[[Configuration, str, SecretStr | None], None]
"""Told the configuration that is served, its base URL, and the key that was made for it, once the address is taken."""


def made_key(configuration: Configuration) -> SecretStr | None:
    """A key for a gateway that needs one and has none; else None. Derived one way from the upstream keys, so that it
    is the same from start to start, and made on a loopback address only (architecture 5). From no upstream key
    everybody could derive it, a page whose name leads here too: then it is made for this run (S12)."""
    if configuration.auth_mode == "none" or configuration.keys:
        return None
    if not is_loopback(configuration.server.host):
        if configuration.admin_key is not None:
            return None  # keys are made with it
        raise ConfigurationError(
            f"{configuration.source}: keys: a gateway on {configuration.server.host} needs at least one key"
        )
    known = [entry.api_key for entry in configuration.upstreams if entry.api_key is not None]
    return derived_key(known or [SecretStr(secrets.token_hex(32))])


async def serve(configuration: Configuration, announce: Announce) -> None:
    """Serves until SIGTERM or SIGINT, then drains. Raises ConfigurationError when the address cannot be taken."""
    key = made_key(configuration)
    if key is not None:
        configuration = replace(configuration, keys=(KeyEntry(MADE_KEY_NAME, key),))
    async with AsyncExitStack() as stack:
        listeners = [stack.enter_context(one) for one in listeners_of(configuration)]
        configuration = as_bound(configuration, listeners)
        options = configuration.server
        log = stack.enter_context(make_log(configuration.log_format))
        asyncio.get_running_loop().set_exception_handler(loop_errors(log))
        found = await stack.enter_async_context(kept(configuration, log, wall_seconds))
        gateway = build(configuration, log, found)
        server = make_server(
            gateway.app,
            host=options.host,
            port=options.port,
            in_flight=gateway.in_flight,
            drain_seconds=options.drain_seconds,
        )
        announce(configuration, base_url(listeners[0]), key)
        _rest_the_collector()
        await server.serve(sockets=listeners)


def _rest_the_collector() -> None:
    """What is here now stays for good, and what an exchange leaves is freed by its counts: the collector of cycles
    need not look often. At its usual thresholds it took a tenth of all CPU: 170 µs a completion, 153 with these."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def base_url(listener: socket.socket) -> str:
    """The base URL for an SDK, as a person on this machine would write it."""
    host, port = listener.getsockname()[:2]
    if host in _EVERYWHERE:
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


def listeners_of(configuration: Configuration) -> Iterator[socket.socket]:
    """The data plane's, and the control plane's where it has its own, with another port number."""
    server, source = configuration.server, configuration.source
    first = _listener(source, "server.port", server.host, server.port)
    yield first
    if server.admin_port is None:
        return
    second = _listener(source, "server.admin_port", server.admin_host, server.admin_port)
    if _port(second) == _port(first):  # a free one may be the same number on another address
        with second:  # held meanwhile, so that the next free one is another
            third = _listener(source, "server.admin_port", server.admin_host, 0)
        second = third
    yield second


def as_bound(configuration: Configuration, listeners: Sequence[socket.socket]) -> Configuration:
    """*configuration* with the ports that *listeners* have: 0 took a free one. The planes are told apart by them."""
    server = replace(configuration.server, port=_port(listeners[0]))
    if server.admin_port is not None:
        server = replace(server, admin_port=_port(listeners[1]))
    return replace(configuration, server=server)


def _port(bound: socket.socket) -> int:
    port: int = bound.getsockname()[1]
    return port


def _listener(source: str, setting: str, host: str, port: int) -> socket.socket:
    """Listens at *host* and *port*. Raises ConfigurationError that names the *setting* of *source* to change."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            f"{source}: {setting}: cannot listen on {host}:{port} ({error.strerror or error}); choose another"
        ) from None
