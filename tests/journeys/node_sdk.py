"""The Node SDK: installed once, driven by few processes that answer in JSON lines."""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).parent / "node"
OLDEST_NODE = 20
INSTALL_SECONDS, RUN_SECONDS = 150, 60
# As it is before the tests clean it: npm may need its proxy and its configuration.
ENVIRONMENT = dict(os.environ)  # noqa: TID251 of the tests' own process, for npm alone


def unavailable(reason: str) -> None:
    """Skip with *reason*; in CI, where node is part of the set-up, fail."""
    if ENVIRONMENT.get("CI") == "true":
        pytest.fail(f"CI runs the Node SDK, but {reason}")
    pytest.skip(f"the Node SDK is not tested: {reason}")


def install() -> None:
    """The locked SDKs in `node/node_modules`, once for all workers. Skips, or in CI fails, where that cannot be."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        unavailable("node and npm are not on PATH")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        unavailable(f"node is {version.stdout.strip()}, and the SDK needs {OLDEST_NODE}")
    lock = HOME / "package-lock.json"
    stamp = HOME / "node_modules" / ".installed"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == digest:
            return
        try:
            subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--loglevel=error"],
                cwd=HOME,
                env=ENVIRONMENT,
                check=True,
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
            )
        except subprocess.CalledProcessError as error:
            unavailable(f"npm could not install it: {error.stderr.strip()[:500]}")
        except subprocess.TimeoutExpired:
            unavailable(f"npm did not install it within {INSTALL_SECONDS} seconds")
        stamp.write_text(digest)


async def run(driver: str, given: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines that *driver* prints for what it is *given*."""
    process = await asyncio.create_subprocess_exec(
        "node",
        driver,
        cwd=HOME,
        env={"PATH": ENVIRONMENT["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(RUN_SECONDS):
            out, complaint = await process.communicate(json.dumps(given).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (0, "") == (process.returncode, complaint.decode())
    return [json.loads(line) for line in out.split(b"\n") if line]
