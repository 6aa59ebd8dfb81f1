"""
A real Postgres for tests: a cluster of its own in a temporary folder, reached through a socket there.

It is skipped loudly where Postgres is not on PATH, and fails under CI=true.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

_START_SECONDS = 30.0
_SUPERUSER = "gate"
_UNPRIVILEGED = "nobody"  # Postgres refuses to run as root


class Postgres:
    """A server that runs. Every `new_database` is empty and nobody else's."""

    def __init__(self, folder: Path, user: str | None) -> None:
        self.folder = folder
        self._user = user
        self._numbers = count(1)
        self._server: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        return f"postgresql://{_SUPERUSER}@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """The URL of one that has no table yet."""
        name = f"test_{next(self._numbers)}"
        self.run_sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def run_sql(self, statement: str, database: str = "postgres") -> str:
        where = ["-h", str(self.folder), "-U", _SUPERUSER, "-d", database]
        done = subprocess.run(
            ["psql", *where, "-v", "ON_ERROR_STOP=1", "-Atqc", statement],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    def initialise(self) -> None:
        options = ["-U", _SUPERUSER, "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run(
            ["initdb", "-D", str(self.folder / "cluster"), *options],
            check=True, capture_output=True, user=self._user, cwd="/", env=_environment(),
        )  # fmt: skip

    def start(self) -> None:
        """Takes connections from now on."""
        settings = {"listen_addresses": "", "unix_socket_directories": str(self.folder),
                    "fsync": "off", "max_connections": "60"}  # fmt: skip
        self._server = subprocess.Popen(
            ["postgres", "-D", str(self.folder / "cluster"),
             *(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            user=self._user, cwd="/", env=_environment(),
        )  # fmt: skip
        until = time.monotonic() + _START_SECONDS
        while subprocess.run(["pg_isready", "-q", "-h", str(self.folder)], check=False).returncode:
            if time.monotonic() > until or self._server.poll() is not None:
                raise RuntimeError("Postgres did not start")
            time.sleep(0.05)

    def stop(self) -> None:
        """At once, connections and all."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait(_START_SECONDS)
            self._server = None


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server for the length of the block."""
    if missing := [name for name in ("postgres", "initdb", "psql") if shutil.which(name) is None]:
        _do_without(f"not on PATH: {', '.join(missing)}")
    user = _UNPRIVILEGED if os.getuid() == 0 else None
    # a socket's path is short, so not below pytest's own folder
    with tempfile.TemporaryDirectory(prefix="mg-pg-", dir="/tmp") as name:
        folder = Path(name)
        if user is not None:
            shutil.chown(folder, user)
        server = Postgres(folder, user)
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _do_without(reason: str) -> None:
    if os.environ.get("CI") == "true":  # noqa: TID251 CI says so there alone
        pytest.fail(f"Postgres is needed under CI: {reason}")
    pytest.skip(f"Postgres is {reason}")


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C"}  # noqa: TID251 where Postgres is found
