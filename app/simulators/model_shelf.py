"""The models of an OpenAI-like upstream, as state: listed, looked up, deleted (X6)."""

from __future__ import annotations

from collections.abc import Mapping

from app.simulators.dialect import Call, Route
from app.simulators.replies import Json, Problem, RefusalError, Reply, json_reply


class ModelShelf:
    """The models that one upstream knows just now."""

    def __init__(self, models: Mapping[str, bool], created: int) -> None:
        """*models* maps an id to whether it may be deleted."""
        self._models = dict(models)
        self._created = created

    def routes(self) -> tuple[Route, ...]:
        """List, get, delete."""
        return (
            Route("GET", ("models",), self._list),
            Route("GET", ("models", "{}"), self._get, "path", self.check),
            Route("DELETE", ("models", "{}"), self._delete, "path", self.check),
        )

    def check(self, call: Call) -> None:
        """Refuse with 404 a model that is not here, such as one with a gateway's prefix."""
        if call.model not in self._models:
            message = f"The model `{call.asked}` does not exist or you do not have access to it."
            raise RefusalError(Problem(404, message, "model_not_found", loc=("model",)))

    def _list(self, call: Call) -> Reply:
        rows = [self._row(name) for name in self._models]
        return json_reply({"object": "list", "data": rows})

    def _get(self, call: Call) -> Reply:
        return json_reply(self._row(call.asked))

    def _delete(self, call: Call) -> Reply:
        if not self._models[call.model]:
            problem = Problem(403, "A base model cannot be deleted.", "permission_denied")
            raise RefusalError(problem)
        del self._models[call.model]
        return json_reply({"id": call.asked, "object": "model", "deleted": True})

    def _row(self, name: str) -> Json:
        return {"id": name, "object": "model", "created": self._created, "owned_by": "simulated"}
