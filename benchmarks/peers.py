"""
Other gateways, each installed into an environment of its own from the package registries, and started plainly.

One that cannot be installed or does not start is named in the table with the reason; the others go on.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import bodies
from benchmarks.gateways import Row, Start, free_port
from benchmarks.processes import DidNotStart, clean_environment

_INSTALL_SECONDS = 900
_KEY = "sk-bench"  # the upstream asks for none; LiteLLM does not start a call without one


@dataclass(frozen=True, slots=True)
class Peer:
    """A gateway of others. *packages*: exactly these, by the client of *registry*; *start*: how to run what was
    installed in the folder that is its first argument."""

    name: str
    registry: str
    packages: tuple[str, ...]
    start: Callable[[Path, Path, int, int], Start]

    @property
    def version(self) -> str:
        """Of the gateway itself, the first of its packages."""
        return self.packages[0].rpartition("=" if self.registry == "pip" else "@")[2]


def _litellm(installed: Path, folder: Path, port: int, upstream_port: int) -> Start:
    parameters = {
        "model": f"openai/{bodies.MODEL}",
        "api_base": f"http://127.0.0.1:{upstream_port}/v1",
        "api_key": _KEY,
    }
    # JSON is YAML. No retries, no telemetry, no database: the least that it does per request.
    settings = {
        "model_list": [{"model_name": bodies.MODEL, "litellm_params": parameters}],
        "litellm_settings": {"num_retries": 0, "telemetry": False},
        "general_settings": {"master_key": _KEY},
    }
    path = folder / "litellm.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    program = str(installed / "bin" / "litellm")
    return Start(
        [program, "--config", str(path), "--host", "127.0.0.1", "--port", str(port)],
        environment={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"},
        fields=(("authorization", f"Bearer {_KEY}"),),
    )


def _portkey(installed: Path, folder: Path, port: int, upstream_port: int) -> Start:
    program = installed / "node_modules/@portkey-ai/gateway/build/start-server.js"
    return Start(
        ["node", str(program), f"--port={port}", "--headless"],
        environment={"NODE_ENV": "production"},
        fields=(
            ("authorization", f"Bearer {_KEY}"),
            ("x-portkey-provider", "openai"),
            ("x-portkey-custom-host", f"http://127.0.0.1:{upstream_port}/v1"),
        ),
    )


def _vllm_router(installed: Path, folder: Path, port: int, upstream_port: int) -> Start:
    return Start(
        [
            *(str(installed / "bin" / "vllm-router"), "--host", "127.0.0.1", "--port", str(port)),
            *("--worker-urls", f"http://127.0.0.1:{upstream_port}", "--policy", "round_robin"),
            *("--disable-retries", "--disable-circuit-breaker", "--log-level", "warning"),
            *("--prometheus-port", str(free_port())),
        ]
    )


def _sglang_router(installed: Path, folder: Path, port: int, upstream_port: int) -> Start:
    return Start(
        [
            *(str(installed / "bin" / "python"), "-m", "sglang_router.launch_router"),
            *("--backend", "openai", "--host", "127.0.0.1", "--port", str(port)),
            *("--worker-urls", f"http://127.0.0.1:{upstream_port}"),
            *("--disable-retries", "--disable-circuit-breaker", "--log-level", "warn"),
            *("--prometheus-port", str(free_port())),
        ]
    )


# Portkey leaves its web framework open, and what an install takes today breaks every stream (`TypeError: immutable`),
# so three of its packages are held at the versions it was built with.
PEERS = (
    Peer("LiteLLM", "pip", ("litellm[proxy]==1.106.2",), _litellm),
    Peer(
        "Portkey",
        "npm",
        (
            *("@portkey-ai/gateway@1.15.2", "hono@4.9.7"),
            *("@hono/node-server@1.13.5", "@hono/node-ws@1.2.0"),
        ),
        _portkey,
    ),
    Peer("vllm-router", "pip", ("vllm-router==0.1.17",), _vllm_router),
    Peer("sglang-router", "pip", ("sglang-router==0.3.2",), _sglang_router),
)


def rows(folder: Path, say: Callable[[str], None]) -> list[Row]:
    """A row for each peer; its environment is made below *folder* when the row is first prepared."""
    return [_row(peer, folder, say) for peer in PEERS]


def _row(peer: Peer, folder: Path, say: Callable[[str], None]) -> Row:
    def prepare(place: Path, port: int, upstream_port: int) -> Start:
        installed = folder / peer.name.lower()
        install(peer, installed, say)
        return peer.start(installed, place, port, upstream_port)

    return Row(peer.name, prepare, peer.version)


def install(peer: Peer, folder: Path, say: Callable[[str], None]) -> None:
    """*folder* holds *peer*, exactly its packages. Raises DidNotStart with the reason when it cannot."""
    stamp = folder / ".installed"
    wanted = "\n".join(peer.packages)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    say(f"installing {' '.join(peer.packages)}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if peer.registry == "pip":
        _run([sys.executable, "-m", "venv", str(folder)], folder)
        python = str(folder / "bin" / "python")
        _run([python, "-m", "pip", "install", "--quiet", *peer.packages], folder)
    else:
        _write_npm_project(peer, folder)
        _run(["npm", "install", "--loglevel=error", "--no-audit", "--no-fund"], folder)
    stamp.write_text(wanted, encoding="utf-8")


def _write_npm_project(peer: Peer, folder: Path) -> None:
    pairs = [package.rpartition("@")[::2] for package in peer.packages]
    gateway, *further = pairs
    project = {"private": True, "dependencies": dict([gateway]), "overrides": dict(further)}
    (folder / "package.json").write_text(json.dumps(project), encoding="utf-8")


def _run(command: list[str], folder: Path) -> None:
    try:
        ran = subprocess.run(  # noqa: S603 a list, never a shell
            command,
            cwd=folder,
            env=clean_environment({}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_INSTALL_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DidNotStart(f"not installed: {error}") from None
    if ran.returncode:
        lines = ran.stderr.strip().splitlines() or ["no reason given"]
        faults = [line for line in lines if "error" in line.lower()] or lines
        # npm says what it means first, pip last.
        fault = faults[0] if command[0] == "npm" else faults[-1]
        raise DidNotStart(f"not installed: {fault[:200]}")
