"""`mindgate serve` as a person runs it: a process of its own, which can be killed, measured and started again."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from tests.fakes.gateways import KEY
from tests.fakes.raw_client import RawClient, Reply

_PATIENCE_SECONDS = 60.0
_READY = b"GET /readyz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"


def sqlite_in(folder: Path) -> str:
    """The URL of the database that a gateway in *folder* makes."""
    return f"sqlite:///{folder / 'mindgate.db'}"


def settings(upstream_url: str, url: str, **more: Any) -> dict[str, Any]:
    """A configuration file over one upstream, with a key that has a budget, as JSON, which is YAML."""
    return {
        "server": {"drain_seconds": 5},
        "upstreams": {
            "scripted": {
                "dialect": "openai",
                "base_url": upstream_url,
                "api_key": "sk-upstream-0123456789",
                "models": ["m"],
                "capabilities": {"models.list": "-"},
            }
        },
        "default_upstream": "scripted",
        "keys": [{"name": "test", "key": KEY, "budget_usd": 1_000_000, "concurrency": 500}],
        "storage": {"url": url},
        "prices": {
            "scripted/m": {"input_usd_per_million": 2.5, "output_usd_per_million": 10.0},
        },
        **more,
    }


@dataclass
class Served:
    """A gateway in *folder* that always listens on the same port. `process` is the one that runs, if any."""

    folder: Path
    port: int = field(default_factory=lambda: free_port())
    environment: Mapping[str, str] = field(default_factory=dict)
    process: Process | None = None

    def configure(self, written: Mapping[str, Any]) -> None:
        """The next start takes these settings."""
        (self.folder / "mindgate.yaml").write_text(json.dumps(written), encoding="utf-8")

    async def start(self) -> Process:
        """It runs, and is not ready yet."""
        command = (str(Path(sys.executable).parent / "mindgate"), "serve")
        where = ("--config", "mindgate.yaml", "--port", str(self.port))
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command,
                *where,
                cwd=self.folder,
                env=_environment() | dict(self.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self.process

    async def ready(self) -> float:
        """It serves; how many seconds after the call. Raises RuntimeError when it has ended instead."""
        began = monotonic()
        while monotonic() - began < _PATIENCE_SECONDS:
            with suppress(OSError, EOFError):
                if (await self.ask(_READY)).status == 200:
                    return monotonic() - began
            if self.process is None or self.process.returncode is not None:
                break
            await asyncio.sleep(0.005)
        raise RuntimeError(f"the gateway does not serve: {self.last_words()}")

    async def kill(self) -> None:
        """kill -9, and it is gone."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM, and it has ended by itself; how. Raises TimeoutError."""
        if self.process is None:
            raise RuntimeError("nothing runs")
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await self.process.wait()

    async def ask(self, sent: bytes) -> Reply:
        """The reply to *sent* on a connection of its own. Raises OSError while nobody listens."""
        async with self.connected() as client:
            await client.send(sent)
            return await client.reply()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[RawClient]:
        """A fresh connection. Raises OSError while nobody listens."""
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_connection(RawClient, "127.0.0.1", self.port)
        try:
            yield client
        finally:
            transport.abort()

    def memory_mb(self) -> float:
        """What it holds of the machine's memory now."""
        if self.process is None:
            raise RuntimeError("nothing runs")
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        [resident] = [line for line in status.splitlines() if line.startswith("VmRSS")]
        return int(resident.split()[1]) / 1024

    def last_words(self) -> str:
        """The end of its log."""
        lines = (self.folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
        return " | ".join(lines[-5:])


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}  # noqa: TID251 what a program needs
