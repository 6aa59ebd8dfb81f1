"""
SQLAlchemy's engine and connection, awaited.

SQLAlchemy has the same in `sqlalchemy.ext.asyncio`, which cannot be imported without its ORM: a twelfth of what the
gateway imports, and 7 MB. Both stand on `greenlet_spawn`: the library runs in a greenlet, which waits for its driver by
handing the loop what is to be awaited.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, Self, TypeVar

import sqlalchemy
from sqlalchemy import CursorResult, Dialect, Executable
from sqlalchemy.util import greenlet_spawn

_Result = TypeVar("_Result")
_Arguments = ParamSpec("_Arguments")


class Connection:
    """One connection of a pool. A result it gives is whole already: nothing of it is left to be awaited."""

    def __init__(self, opened: sqlalchemy.Connection) -> None:
        self._opened = opened

    @property
    def dialect(self) -> Dialect:
        """Of the database."""
        return self._opened.dialect

    async def execute(
        self, statement: Executable, parameters: Any = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """The rows of *statement*. *parameters*: a row of them, or several, for each of which it is run."""
        return await _released(await greenlet_spawn(self._opened.execute, statement, parameters))

    async def scalar(self, statement: Executable) -> Any:
        """The first column of the first row; None where there is none."""
        return (await self.execute(statement)).scalar()

    async def exec_driver_sql(
        self, statement: str, parameters: Any = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """The rows of *statement*, which is the driver's own SQL."""
        return await _released(
            await greenlet_spawn(self._opened.exec_driver_sql, statement, parameters)
        )

    async def run_sync(self, work: Callable[[sqlalchemy.Connection], _Result]) -> _Result:
        """What *work* gives, which uses the connection as if nothing were to be awaited."""
        return await greenlet_spawn(work, self._opened)

    async def driver(self) -> Any:
        """The driver's connection below."""
        return await greenlet_spawn(_driver_of, self._opened)


class Engine:
    """A pool of connections. *sync_engine*: of a dialect whose driver is awaited."""

    def __init__(self, sync_engine: sqlalchemy.Engine) -> None:
        self.sync_engine = sync_engine

    @classmethod
    def made(cls, url: str, connect: Callable[[], Awaitable[Any]], **options: Any) -> Self:
        """Nothing is connected yet. *url* names the dialect, *connect* opens a connection of its driver; *options*
        are `create_engine`'s."""
        arguments = {"async_creator_fn": connect, **options.pop("connect_args", {})}

        def creator() -> Any:
            return engine.dialect.loaded_dbapi.connect(**arguments)

        engine = sqlalchemy.create_engine(url, creator=creator, **options)
        return cls(engine)

    def execution_options(self, **options: Any) -> "Engine":
        """The same pool, with SQLAlchemy's *options* for each statement."""
        return Engine(self.sync_engine.execution_options(**options))

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """A connection of the pool, which has it back at the end, rolled back, whoever is cancelled meanwhile."""
        opened = await greenlet_spawn(self.sync_engine.connect)
        try:
            yield Connection(opened)
        finally:
            await _to_the_end(greenlet_spawn(opened.close))

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Connection]:
        """A transaction: committed at the end, rolled back on any exception, cancellation included."""
        async with self.connect() as connection:
            transaction = await connection.run_sync(lambda opened: opened.begin())
            transaction.__enter__()
            try:
                yield connection
            except BaseException as error:
                await greenlet_spawn(transaction.__exit__, type(error), error, error.__traceback__)
                raise
            await greenlet_spawn(transaction.__exit__, None, None, None)

    async def dispose(self) -> None:
        """Closes what is idle."""
        await greenlet_spawn(self.sync_engine.dispose)


def _driver_of(connection: sqlalchemy.Connection) -> Any:
    return connection.connection.driver_connection


async def _released(
    result: CursorResult[*tuple[Any, ...]],
) -> CursorResult[*tuple[Any, ...]]:
    """Its rows are here; the driver's cursor is closed now, for outside the greenlet nothing could await that."""
    cursor: Any = result.cursor
    if cursor is not None:
        await (
            cursor._async_soft_close()
        )  # as SQLAlchemy's own connection does; it has no public name
    return result


async def _to_the_end(work: Coroutine[Any, Any, object]) -> None:
    """*work* is done when this returns. A cancellation meanwhile is raised then, and not before: the connection would
    come back to a pool that its owner has closed."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
        except BaseException:  # noqa: BLE001 it is raised below
            break
    if cancelled is not None:
        raise cancelled
    task.result()
