"""The witness routes (X5): what arrived, and what was given out. They are not recorded."""

from __future__ import annotations

from typing import Any

from app.simulators.control import HEALTH
from app.simulators.desk import Performance
from app.simulators.http_reader import Request
from app.simulators.recording import SeenRequests
from app.simulators.replies import Json, Reply, json_reply

PREFIX = "/_sim/"


class SimRoutes:
    """`/_sim/requests` and `/_sim/usage`, GET and DELETE."""

    def __init__(self, seen: SeenRequests) -> None:
        """Answer from *seen*."""
        self._seen = seen
        self._routes = {
            ("GET", "/_sim/requests"): self._requests,
            ("DELETE", "/_sim/requests"): self._forget,
            ("GET", "/_sim/usage"): seen.usage,
            ("DELETE", "/_sim/usage"): self._forget_usage,
        }

    def answer(self, request: Request) -> Performance | None:
        """The performance for a request below `/_sim`; None for any other."""
        path = request.target.partition("?")[0]
        if not path.startswith(PREFIX):
            return None
        route = self._routes.get((request.method, path))
        if route is None:
            reply = json_reply({"error": {"message": "unknown witness route"}}, 404)
            return Performance(reply, HEALTH)
        return Performance(_plain(route()), HEALTH)

    def _requests(self) -> list[Json]:
        return [seen.as_json() for seen in self._seen]

    def _forget(self) -> Json:
        self._seen.clear()
        return {"deleted": True}

    def _forget_usage(self) -> Json:
        self._seen.clear_usage()
        return {"deleted": True}


def _plain(payload: Any) -> Reply:
    return json_reply(payload, headers=(("x-simulated", "mindgate"),))
