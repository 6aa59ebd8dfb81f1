"""Asking an upstream for all of its fine-tuning jobs (upstreams F15)."""

import asyncio

from app.domain.errors import UpstreamMalformed, UpstreamTimeout
from app.protocol.lists import NoList, read_page
from app.upstreams.client import Sender
from app.upstreams.list_requests import get, refused
from app.upstreams.relayed_request import segment
from app.upstreams.upstream import Upstream

_PATH = "/fine_tuning/jobs"
_PAGE_ROWS = 100
_MOST_PAGES = 50


async def jobs(upstream: Upstream, sender: Sender, *, patience_seconds: float) -> dict[str, bytes]:
    """Each job as *upstream* describes it, by its id. Raises the typed error of a refusal, UpstreamMalformed for what
    is no list, UpstreamTimeout."""
    found: dict[str, bytes] = {}
    try:
        async with asyncio.timeout(patience_seconds):
            for _ in range(_MOST_PAGES):
                if not await _page(upstream, sender, found):
                    break
    except TimeoutError:
        raise UpstreamTimeout(
            f"Upstream '{upstream.name}' did not send its jobs within {patience_seconds:g} seconds.",
            phase="total",
        ) from None
    return found


async def _page(upstream: Upstream, sender: Sender, found: dict[str, bytes]) -> bool:
    """One page more of what is *found*; True while there may be another."""
    last = next(reversed(found), "")
    query = f"limit={_PAGE_ROWS}" + (f"&after={segment(last)}" if last else "")
    status, body = await get(upstream, sender, upstream.url(_PATH, query))
    if status != 200:
        raise refused(upstream, status, body, "fine_tuning")
    try:
        page = read_page(body)
    except NoList:
        raise UpstreamMalformed(f"Upstream '{upstream.name}' sent no list of jobs.") from None
    known = len(found)
    found.update((id, item) for id, item in zip(page.ids, page.items, strict=True) if id)
    return bool(page.has_more) and len(found) > known
