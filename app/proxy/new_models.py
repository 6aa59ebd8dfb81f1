"""
Whose a model is that an upstream lists for the first time: before anybody sees it in a list, the jobs that may have
made it are asked (reliability S16). A job that nobody looks at would else hand its model to every team.

A job that an upstream began by itself, as 4minds does behind an upload, is whose the file is that it trains on.
"""

from collections.abc import Callable

from app.access.register import Register
from app.domain.errors import UpstreamAnswered
from app.domain.stored_objects import ObjectName
from app.protocol.object_shapes import models_made, training_file
from app.upstreams.client import Sender
from app.upstreams.job_requests import jobs
from app.upstreams.model_requests import ModelList
from app.upstreams.upstream import Upstream

_PATIENCE_SECONDS = 10.0
_EXCHANGE = "discovery"  # what the claims stand under: no client asked


class NewModels:
    """Looks at each list of models that comes. *wall_seconds*: the clock of claims."""

    def __init__(self, register: Register, wall_seconds: Callable[[], float]) -> None:
        self._register = register
        self._wall_seconds = wall_seconds
        self._seen: dict[str, frozenset[str]] = {}

    async def look(self, upstream: Upstream, sender: Sender, found: ModelList) -> None:
        """The models of *found* that were not there before are whose the jobs are that made them. Raises what asking
        for jobs raises, and LedgerUnavailable: such a list is not to be shown yet."""
        models = frozenset(one.id for one in found.models)
        new = models - self._seen.get(upstream.name, frozenset())
        if new and upstream.supports("fine_tuning"):
            await self._look(upstream, sender, new)
        self._seen[upstream.name] = models

    async def _look(self, upstream: Upstream, sender: Sender, new: frozenset[str]) -> None:
        has_any = self._register.has_any
        if not (await has_any(upstream.name, "job") or await has_any(upstream.name, "file")):
            return
        try:
            made = await jobs(upstream, sender, patience_seconds=_PATIENCE_SECONDS)
        except UpstreamAnswered as error:
            if error.status >= 500:
                raise
            return  # it lists none
        at_ms = int(self._wall_seconds() * 1000)
        for job_id, told in made.items():
            sources = [ObjectName(upstream.name, "job", job_id)]
            if file_id := training_file(told):
                sources.append(ObjectName(upstream.name, "file", file_id))
            for model in new.intersection(models_made(told)):
                name = ObjectName(upstream.name, "model", model)
                for source in sources:
                    if await self._register.claim_result(
                        name, source, exchange_id=_EXCHANGE, at_ms=at_ms
                    ):
                        break
