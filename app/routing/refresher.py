"""
Keeps the catalogue fresh in the background (contract K2, reliability R23): each upstream on its own, so that
one that hangs delays nobody, and none delays the start.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from app.domain.errors import GatewayError
from app.routing.catalogue import Catalogue
from app.telemetry.logs import Log
from app.upstreams.client import Sender
from app.upstreams.model_requests import ModelList, discover
from app.upstreams.upstream import Upstream

REFRESH_SECONDS = 60.0
RETRY_SECONDS = 10.0
PATIENCE_SECONDS = 10.0
EARLIEST_SECONDS = 5.0  # however many unknown names are asked for, an upstream is asked no sooner


class Newcomers(Protocol):
    """Is shown a list of models before anybody else is."""

    async def look(self, upstream: Upstream, sender: Sender, found: ModelList) -> None:
        """*found* may be shown. Raises GatewayError where it may not, yet."""
        ...


class Refresher:
    """Asks every upstream that has a list, again and again."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        senders: Mapping[str, Sender],
        catalogue: Catalogue,
        log: Log,
        newcomers: Newcomers | None = None,
    ) -> None:
        self._newcomers = newcomers
        self._senders = senders
        self._catalogue = catalogue
        self._log = log
        self._asked = [one for one in upstreams.values() if one.has_list]
        self._early = {one.name: asyncio.Event() for one in self._asked}
        for upstream in self._asked:
            catalogue.expect(upstream.name)

    async def run(self) -> None:
        """Never returns; cancel it."""
        async with asyncio.TaskGroup() as group:
            for upstream in self._asked:
                group.create_task(self._follow(upstream))

    def hurry(self) -> None:
        """What is known is out of date: a name was asked for that nobody has, or a model was made or deleted."""
        for early in self._early.values():
            early.set()

    async def _follow(self, upstream: Upstream) -> None:
        was_well: bool | None = None
        early = self._early[upstream.name]
        while True:
            early.clear()
            is_well = await self._refresh(upstream, is_news=was_well is not False)
            was_well = is_well
            await asyncio.sleep(EARLIEST_SECONDS)
            delay = (REFRESH_SECONDS if is_well else RETRY_SECONDS) - EARLIEST_SECONDS
            try:
                async with asyncio.timeout(delay):
                    await early.wait()
            except TimeoutError:
                continue

    async def _refresh(self, upstream: Upstream, *, is_news: bool) -> bool:
        """True when *upstream* sent its list. A failure is logged when it *is_news*: once, not each time."""
        try:
            found = await discover(
                upstream,
                self._senders[upstream.name],
                paths=self._catalogue.list_paths(upstream),
                patience_seconds=PATIENCE_SECONDS,
            )
            if self._newcomers is not None:
                await self._newcomers.look(upstream, self._senders[upstream.name], found)
        except GatewayError as error:
            self._catalogue.asked(upstream.name)
            if is_news:
                self._log.warning(
                    "model list not available",
                    upstream=upstream.name,
                    error=error.code,
                    message=error.message,
                )
            return False
        self._catalogue.replace(upstream.name, found)
        return True
