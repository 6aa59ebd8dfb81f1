"""The simulated upstreams alone, for tests of one's own gateway configuration."""

import asyncio
import signal
from collections.abc import Callable

from app.domain.errors import ConfigurationError
from app.simulators.server import Simulators


async def simulate(host: str, port: int, announce: Callable[[Simulators], None]) -> None:
    """Serves the simulators until SIGTERM or SIGINT. Raises ConfigurationError when the address cannot be taken."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        simulators = await Simulators.start(host, port)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port} ({error.strerror or error}); choose another with --port"
        ) from None
    async with simulators:
        announce(simulators)
        await stopped.wait()
