"""
The admin API for a command while no gateway runs: the same application as a gateway's, on the storage itself.

A command that changes something takes the database for itself; one that reads does so beside whoever has it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time as wall_seconds  # noqa: TID251 a composition root hands the clocks out

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.key_ring import KeyRing
from app.api.admin_door import seen_as
from app.api.admin_parts import AdminParts
from app.api.admin_routes import make_admin_application
from app.api.control_plane import ControlPlaneParts, add_control_plane
from app.api.gatekeeper import Gatekeeper
from app.domain.configuration import Configuration, StorageOptions
from app.domain.errors import ConfigurationError, LedgerUnavailable
from app.domain.keys import Actor
from app.main.admin import Shelf, admin_parts
from app.main.gateway import VERSION
from app.main.kept import key_store
from app.storage.database import Database
from app.storage.record_store import RecordStore
from app.usage.price_book import PriceBook

_COMMAND = Actor("command")


@asynccontextmanager
async def admin_application(
    configuration: Configuration, *, writes: bool
) -> AsyncIterator[ASGIApp]:
    """`/admin/v1` on the storage of *configuration*. It asks for no key: who may read the files may do this.

    *writes*: keys and teams may be changed. Raises ConfigurationError where there is no storage, where it cannot be
    used, and, to write a SQLite file, while a gateway has it open.
    """
    options = configuration.storage
    if options is None:
        raise ConfigurationError(
            f"{configuration.source}: storage.url: is null, so nothing is kept here; "
            "give --url for a gateway that keeps keys"
        )
    database = await Database.open(options.url, read_only=not writes)
    try:
        parts = await _parts(database, options, configuration, writes=writes)
        yield _as_command(_application(parts))
    except LedgerUnavailable as error:
        raise ConfigurationError(f"storage.url: {error.message}") from error
    finally:
        await database.aclose()


async def _parts(
    database: Database, options: StorageOptions, configuration: Configuration, *, writes: bool
) -> AdminParts:
    keys, peppers = await key_store(database, options, configuration, writes=writes)
    shelf = Shelf(keys, peppers, KeyRing((), peppers), RecordStore(database))
    # Limits are known to a gateway that runs alone; the command says so.
    prices = PriceBook(configuration.prices)
    return admin_parts(shelf, prices, wall_seconds, lambda _: (), _nothing_waits)


async def _nothing_waits() -> None:
    """Nobody settles anything here."""


def _application(parts: AdminParts) -> FastAPI:
    outer = FastAPI()  # for the shape of its errors
    keeper = Gatekeeper(is_open=False, metrics_token=None, admin_key=None)
    add_control_plane(
        outer, ControlPlaneParts(VERSION, lambda: "ok", lambda: b"", keeper, lambda: "")
    )
    return make_admin_application(parts, outer.exception_handlers)


def _as_command(app: ASGIApp) -> ASGIApp:
    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        await app(seen_as(scope, _COMMAND), receive, send)

    return asked
