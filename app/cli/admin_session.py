"""One command on the admin API, from its options to its exit code. The way is always HTTP, wherever it leads."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2
import typer
import uvloop

from app.cli import presentation
from app.cli.admin_client import CONNECT_SECONDS, PATIENCE_SECONDS, AdminClient, AdminError
from app.cli.admin_options import Access
from app.cli.text import one_line
from app.domain.errors import ConfigurationError
from app.main import loading

Work = Callable[[AdminClient], Awaitable[None]]
_DEADLINES = httpx2.Timeout(PATIENCE_SECONDS, connect=CONNECT_SECONDS)
_HERE = "http://storage"  # an address for what has none; nothing resolves it


def administer(access: Access, work: Work, *, writes: bool = False) -> None:
    """*work* is done. An error is one line on standard error and exit code 1.

    *writes*: it changes something, so no gateway may have the storage open.
    """
    try:
        uvloop.run(_administer(access, work, writes))
    except (AdminError, ConfigurationError) as error:
        presentation.refuse(one_line(str(error)))
        raise typer.Exit(1) from None


async def _administer(access: Access, work: Work, writes: bool) -> None:
    async with reached(access, writes=writes) as client:
        await work(client)


@asynccontextmanager
async def reached(access: Access, *, writes: bool) -> AsyncIterator[AdminClient]:
    """The admin API that *access* leads to. Raises AdminError and ConfigurationError."""
    if access.url is not None:
        async with _running(access, access.url) as client:
            yield client
        return
    # A command on a running gateway does without database and application.
    from app.main import offline  # noqa: PLC0415 as said

    configuration = loading.load(access.config, to_serve=False)
    async with offline.admin_application(configuration, writes=writes) as application:
        transport = httpx2.ASGITransport(application)
        async with httpx2.AsyncClient(transport=transport, base_url=_HERE, timeout=None) as http:
            yield AdminClient(http, place="the storage")


@asynccontextmanager
async def _running(access: Access, url: str) -> AsyncIterator[AdminClient]:
    root = url.strip().rstrip("/").removesuffix("/v1")
    headers = {"authorization": f"Bearer {_admin_key(access)}"}
    # A redirect is not followed: the key is for the address that was given.
    try:
        http = httpx2.AsyncClient(base_url=root, headers=headers, timeout=_DEADLINES)
        place = str(http.base_url.copy_with(username=None, password=None)).rstrip("/")
    except httpx2.InvalidURL:
        raise AdminError("--url is no address; write it as http://HOST:PORT") from None
    async with http:
        yield AdminClient(http, place=place)


def _admin_key(access: Access) -> str:
    key = access.admin_key or _configured_key(access)
    if not key:
        raise AdminError("--url needs the gateway's admin key: set MINDGATE_ADMIN_KEY")
    if not (key.isascii() and key.isprintable()):
        raise AdminError("the admin key must be printable ASCII on one line")
    return key


def _configured_key(access: Access) -> str | None:
    """The one in `.env`, or in the file that MINDGATE_ADMIN_KEY_FILE names."""
    try:
        key = loading.load(access.config, to_serve=False).admin_key
    except ConfigurationError:  # of what serving needs, and asking another gateway does not
        return None
    return None if key is None else key.get_secret_value()
