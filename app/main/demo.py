"""The gateway and the simulated upstreams in one process: everything works, nothing is needed, nothing is real."""

import secrets
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from app.domain.configuration import (
    Configuration,
    RouteEntry,
    ServerOptions,
    StorageOptions,
    UpstreamEntry,
)
from app.domain.prices import Price
from app.main.serving import Announce, serve
from app.simulators.keys import KEYS
from app.simulators.server import Simulators

EXAMPLE_MODELS = {
    "4minds": "4minds-model-123",
    "minds": "sales_mind",
    "openmind": "gpt-4o",
    "openai": "sim-gpt",
}

_SPEECH = Price(character=50_000_000)
_RECOGNITION = Price(audio_second=270_000_000)
_PRICES = {
    "openmind/gpt-4o": Price(input=2_500_000, output=10_000_000),
    "openmind/eleven_*": _SPEECH,
    "openmind/chirp*": _RECOGNITION,
    "openmind/whisper-*": _RECOGNITION,
    "openmind/scribe*": _RECOGNITION,
}


def demo_configuration(simulators: Simulators, server: ServerOptions) -> Configuration:
    """A configuration whose upstreams are *simulators*, one of each dialect, with an alias and a route to try."""
    names = {"4minds": "4minds", "minds": "minds", "openmind": "openmind", "openai": "local"}
    upstreams = tuple(_entry(simulators, name, dialect) for dialect, name in names.items())
    return Configuration(
        server=server,
        upstreams=upstreams,
        routes=(
            RouteEntry("gpt-4", ("openmind/gpt-4o",)),
            RouteEntry("fast", ("openmind/gpt-4o-mini", "local/sim-gpt")),
        ),
        source="demo",
    )


def _entry(simulators: Simulators, name: str, dialect: str) -> UpstreamEntry:
    entry = UpstreamEntry(
        name=name,
        dialect=dialect,  # type: ignore[arg-type] # one of the four names of DialectName
        base_url=simulators.base_url(dialect),
        api_key=SecretStr(KEYS[dialect]),
    )
    if dialect != "openmind":
        return entry
    return replace(
        entry,
        websocket_base=simulators.socket_url("openmind"),
        riva_asr_url=simulators.socket_url("riva-asr"),
        vila_url=simulators.socket_url("vila"),
    )


async def serve_demo(server: ServerOptions, announce: Announce) -> None:
    """Serves the demo until a signal says stop. Its ledger is gone with it."""
    with TemporaryDirectory(prefix="mindgate-demo-") as name:
        folder = Path(name)
        async with await Simulators.start() as simulators:
            configuration = replace(
                demo_configuration(simulators, server),
                admin_key=SecretStr(f"admin-{secrets.token_hex(16)}"),
                storage=StorageOptions(
                    SecretStr(f"sqlite:///{folder / 'mindgate.db'}"),
                    folder / "mindgate.journal",
                    folder / "mindgate.pepper",
                ),
                prices=_PRICES,
            )
            await serve(configuration, announce)
