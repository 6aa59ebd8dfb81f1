"""The models of an OpenAI-like upstream, as state: listed, looked up, deleted (X6)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from app.simulators.dialect import Call, Route
from app.simulators.replies import Json, Problem, RefusalError, Reply, json_reply


class ModelShelf:
    """The models that one upstream knows just now."""

    def __init__(
        self, models: Mapping[str, bool], created: int, unlisted: Collection[str] = ()
    ) -> None:
        """*models* maps an id to whether it may be deleted; *unlisted* ones answer all the same."""
        self._models = dict(models)
        self._unlisted = unlisted
        self._created = created

    def add(self, name: str) -> None:
        """One more, which may be deleted."""
        self._models[name] = True

    def has(self, name: str) -> bool:
        """Whether it is here."""
        return name in self._models or name in self._unlisted

    @property
    def bases(self) -> tuple[str, ...]:
        """Those that jobs may train: nobody made them here."""
        return tuple(name for name, is_made in self._models.items() if not is_made)

    def is_base(self, name: str) -> bool:
        """Whether jobs may train it."""
        return name in self.bases

    def routes(self) -> tuple[Route, ...]:
        """List, get, delete."""
        return (
            Route("GET", ("models",), self._list),
            Route("GET", ("models", "{}"), self._get, "path", self.check),
            Route("DELETE", ("models", "{}"), self._delete, "path", self.check),
        )

    def check(self, call: Call) -> None:
        """Refuse with 404 a model that is not here, such as one with a gateway's prefix."""
        if not self.has(call.model):
            message = f"The model `{call.asked}` does not exist or you do not have access to it."
            raise RefusalError(Problem(404, message, "model_not_found", loc=("model",)))

    def _list(self, call: Call) -> Reply:
        rows = [self._row(name) for name in self._models]
        return json_reply({"object": "list", "data": rows})

    def _get(self, call: Call) -> Reply:
        return json_reply(self._row(call.asked))

    def _delete(self, call: Call) -> Reply:
        if not self._models.get(call.model):
            problem = Problem(403, "A base model cannot be deleted.", "permission_denied")
            raise RefusalError(problem)
        del self._models[call.model]
        return json_reply({"id": call.asked, "object": "model", "deleted": True})

    def _row(self, name: str) -> Json:
        return {"id": name, "object": "model", "created": self._created, "owned_by": "simulated"}
