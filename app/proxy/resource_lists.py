"""
Lists of stored objects: full and correct pages of what the caller may see (reliability S16, contract M5 to M8).

Who may see all gets the upstream's page, with what SDKs need of one. Who may see its own gets pages of that: as many of
the upstream's are asked for as fill one, within a bound. An upstream that heeds neither `limit` nor `after` sends
everything each time; that is noticed, and they are heeded here, so that nobody is sent page one for ever (M7).
"""

from collections.abc import Mapping
from typing import NamedTuple

from app.access.register import Register
from app.domain.stored_objects import ObjectName
from app.protocol.lists import (
    NoList,
    Page,
    PageRequest,
    chosen,
    completed,
    read_page,
    read_page_request,
    with_bare_model,
)
from app.protocol.object_ids import no_such_object
from app.protocol.object_shapes import all_filled, training_file
from app.proxy.call import Call
from app.proxy.json_asking import JsonAsking, unreadable
from app.proxy.resource_rows import Row
from app.upstreams.relayed_request import Relayed
from app.upstreams.upstream import Upstream

MOST_PAGES = 50  # of an upstream's, asked for to fill one
_MOST_ITEMS = 1000  # of such a page


class _Listing(NamedTuple):
    """One list asked for. *path*: below the base URL."""

    call: Call
    upstream: Upstream
    row: Row
    path: str
    asked: PageRequest

    @property
    def place(self) -> tuple[str, str]:
        """What is remembered of it is true of this."""
        return self.upstream.name, self.row.path


class ResourceLists:
    """Asks for pages. Remembers, for as long as the process lives, which lists do not heed `after`."""

    def __init__(self, asking: JsonAsking, register: Register) -> None:
        self._asking = asking
        self._register = register
        self._heedless: set[tuple[str, str]] = set()  # bounded: upstreams by rows

    async def all_of(self, call: Call, upstream: Upstream, row: Row, path: str) -> bytes:
        """The page that the client asked for of the list at *path*. Raises InvalidRequest for a limit that is none."""
        query = with_bare_model(call.client.query, upstream.name)
        if row.is_bare:
            return (await self._asking.ask(call, upstream, Relayed("GET", path, query))).body
        listing = _listing(call, upstream, row, path, query)
        asked = listing.asked
        page = await self._fetch(listing, query)
        items = all_filled(page.items, row.shape)
        if page.has_more is not None:
            return completed(page, items, has_ends=row.has_ends)
        start = await self._start(listing, page, asked.after)
        end = min(start + asked.limit, len(items)) if asked.says_limit else len(items)
        if end - start == len(items):
            return completed(page, items, has_ends=row.has_ends)
        return chosen(
            items[start:end],
            page.ids[start:end],
            has_more=end < len(items),
            has_ends=row.has_ends,
        )

    async def own(self, call: Call, upstream: Upstream, row: Row) -> bytes:
        """The same of what the caller may touch. Raises ObjectNotFound for an `after` that it may not."""
        query = with_bare_model(call.client.query, upstream.name)
        listing = _listing(call, upstream, row, row.path, query)
        asked, after = listing.asked, listing.asked.after
        if after:
            name = ObjectName(upstream.name, row.kind, after)
            if not await self._register.may_touch(call.principal, name):
                raise no_such_object(row.kind, after, param="after")
        kept: dict[str, bytes] = {}
        goes_on, pages = True, 0
        while goes_on and len(kept) <= asked.limit and pages < MOST_PAGES:
            page, start = await self._page_behind(listing, after)
            kept |= await self._visible(listing, page, start)
            pages += 1
            goes_on = self._goes_on(listing, page, start, after)
            after = page.ids[-1] if page.ids else ""
        ids = list(kept)[: asked.limit]
        items = all_filled([kept[one] for one in ids], row.shape)
        has_more = goes_on or len(kept) > asked.limit
        return chosen(items, ids, has_more=has_more, has_ends=row.has_ends)

    async def _visible(self, listing: _Listing, page: Page, start: int) -> dict[str, bytes]:
        """The items of *page* from *start* on that the caller may touch, by id."""
        ids = page.ids[start:]
        visible = await self._register.visible(
            listing.call.principal, listing.upstream.name, listing.row.kind, ids
        )
        items = dict(zip(ids, page.items[start:], strict=True))
        if listing.row.kind == "job":
            others = {one: item for one, item in items.items() if one not in visible}
            visible |= await self._begun_by_itself(listing, others)
        return {one: item for one, item in items.items() if one in visible}

    async def _begun_by_itself(self, listing: _Listing, jobs: Mapping[str, bytes]) -> set[str]:
        """Those of *jobs* that the upstream began behind an upload of the caller's team (upstreams 3.2): nobody asked
        for them, so they are whose the file is, from now on."""
        call, upstream = listing.call, listing.upstream.name
        files = {one: training_file(item) for one, item in jobs.items()}
        named = sorted({*files.values()} - {""})
        own = await self._register.visible(call.principal, upstream, "file", named)
        begun = set()
        for one, file in files.items():
            if file in own and await self._register.claim_result(
                ObjectName(upstream, "job", one),
                ObjectName(upstream, "file", file),
                exchange_id=call.exchange.request_id,
                at_ms=call.exchange.at_ms,
            ):
                begun.add(one)
        return begun

    async def _page_behind(self, listing: _Listing, after: str) -> tuple[Page, int]:
        """The upstream's page behind *after*, and where in it what is behind begins."""
        asked = listing.asked
        if self._is_heedless(listing):
            page = await self._fetch(listing, asked.rest)
        else:
            # Nothing says that a bare list knows a limit.
            most = None if listing.row.is_bare else min(listing.row.most, _MOST_ITEMS)
            page = await self._fetch(listing, asked.query(limit=most, after=after))
        return page, await self._start(listing, page, after)

    def _goes_on(self, listing: _Listing, page: Page, start: int, after: str) -> bool:
        """True when the upstream may have more behind *page*, which was asked for behind *after*."""
        if self._is_heedless(listing) or start or page.has_more is False:
            return False
        if listing.row.is_bare and page.has_more is None:
            return False
        return bool(page.ids) and page.ids[-1] not in ("", after)

    async def _start(self, listing: _Listing, page: Page, after: str) -> int:
        """Where in *page*, asked for behind *after*, what is behind it begins: not at the first item, where the list
        does not heed `after`."""
        if not after:
            return 0
        if after in page.ids:  # what is behind an item does not hold it
            self._heedless.add(listing.place)
            return page.ids.index(after) + 1
        if self._is_heedless(listing):
            return len(page.ids)
        if page.has_more is None and page.ids and after == listing.asked.after:
            first = await self._fetch(listing, listing.asked.rest)
            if first.ids[:1] == page.ids[:1]:
                self._heedless.add(listing.place)
                return len(page.ids)
        return 0

    def _is_heedless(self, listing: _Listing) -> bool:
        return listing.place in self._heedless

    async def _fetch(self, listing: _Listing, query: str) -> Page:
        call, upstream = listing.call, listing.upstream
        whole = await self._asking.ask(call, upstream, Relayed("GET", listing.path, query))
        try:
            return read_page(whole.body)
        except NoList:
            raise unreadable(upstream, "a list") from None


def _listing(call: Call, upstream: Upstream, row: Row, path: str, query: str) -> _Listing:
    asked = read_page_request(query, usual=row.usual, most=row.most)
    return _Listing(call, upstream, row, path, asked)
