"""OpenMind's agent and RAG routes (N2): echoes, with a memory that counts."""

from __future__ import annotations

from typing import Any

from app.simulators.dialect import Call, Route
from app.simulators.replies import Json, Problem, RefusalError, Reply, compact, json_reply

MAX_MEMORY = 1000


class Agent:
    """One account's agent: what it was told, and the questions it knows the answer to."""

    def __init__(self) -> None:
        """Begin with nothing in mind."""
        self._memory: list[str] = []
        self._answered: set[str] = set()

    def routes(self) -> tuple[Route, ...]:
        """Agent, medical agent, memory, RAG."""
        return (
            Route("POST", ("agent",), self._act, "maybe"),
            Route("POST", ("agent", "medical"), self._act, "maybe"),
            Route("DELETE", ("agent", "memory"), self._forget),
            Route("POST", ("rag", "query"), self._query),
        )

    def _act(self, call: Call) -> Reply:
        """`message` of 2025 or `inputs` of 2026, echoed; the first action is taken."""
        body = call.body or {}
        said = body.get("message", body.get("inputs"))
        if not said:
            raise RefusalError(Problem(400, "Missing or invalid JSON in request", ""))
        text = said if isinstance(said, str) else compact({"inputs": said})
        self._memory = [*self._memory, text][-MAX_MEMORY:]
        answer: Json = {"response": f"echo: {text}", "remembered": len(self._memory)}
        actions: Any = body.get("available_actions")
        if isinstance(actions, list) and actions:
            answer["actions"] = actions[:1]
        return json_reply(answer)

    def _forget(self, call: Call) -> Reply:
        forgotten, self._memory = len(self._memory), []
        return json_reply({"message": "Memory cleared", "forgotten": forgotten})

    def _query(self, call: Call) -> Reply:
        body = call.json()
        query = body.get("query")
        if not isinstance(query, str) or not query:
            raise RefusalError(Problem(400, "Missing or invalid JSON in request", ""))
        cached = query in self._answered and body.get("skip_cache") is not True
        if len(self._answered) < MAX_MEMORY:
            self._answered.add(query)
        return json_reply({"answer": f"echo: {query}", "cached": cached})
