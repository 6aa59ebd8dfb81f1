"""The threads of Minds as state (N8): messages, and runs that answer them, streamed too."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from app.simulators.answers import split_words, text_of
from app.simulators.dialect import Call, Ids, Route
from app.simulators.keys import CREATED
from app.simulators.replies import DONE, Event, Json, Problem, RefusalError, Reply, json_reply
from app.simulators.shaping import is_streamed, streamed

ROLES = ("user", "assistant")
KEPT_THREADS = 1000
KEPT_MESSAGES = 1000  # of a thread
KEPT_RUNS = 10_000


class Threads:
    """The threads of one account."""

    def __init__(self, check_mind: Callable[[str], object]) -> None:
        """Begin empty. *check_mind* refuses a Mind that is not there."""
        self._check_mind = check_mind
        self._messages: dict[str, deque[Json]] = {}
        self._runs: dict[tuple[str, str], Json] = {}
        self._ids = Ids()

    def routes(self) -> tuple[Route, ...]:
        """Threads, messages, runs."""
        one = ("threads", "{}")
        return (
            Route("POST", ("threads",), self._create),
            Route("DELETE", one, self._delete),
            Route("GET", (*one, "messages"), self._list),
            Route("POST", (*one, "messages"), self._say),
            Route("POST", (*one, "runs"), self._run),
            Route("GET", (*one, "runs", "{}"), self._get_run),
        )

    def _create(self, call: Call) -> Reply:
        thread_id = f"thread_{self._ids.next_number()}"
        if len(self._messages) == KEPT_THREADS:
            self._forget(next(iter(self._messages)))
        self._messages[thread_id] = deque(maxlen=KEPT_MESSAGES)
        created = CREATED["minds"]
        return json_reply({"id": thread_id, "object": "thread", "created_at": created})

    def _delete(self, call: Call) -> Reply:
        thread_id = call.arguments[0]
        self._of(thread_id)
        self._forget(thread_id)
        return json_reply({"id": thread_id, "object": "thread.deleted", "deleted": True})

    def _forget(self, thread_id: str) -> None:
        del self._messages[thread_id]
        self._runs = {key: run for key, run in self._runs.items() if key[0] != thread_id}

    def _of(self, thread_id: str) -> deque[Json]:
        if thread_id not in self._messages:
            raise RefusalError(Problem(404, f"Thread '{thread_id}' not found", ""))
        return self._messages[thread_id]

    def _list(self, call: Call) -> Reply:
        return json_reply({"object": "list", "data": list(self._of(call.arguments[0]))})

    def _say(self, call: Call) -> Reply:
        messages, body = self._of(call.arguments[0]), call.json()
        if body.get("role") not in ROLES or not isinstance(body.get("content"), str):
            raise RefusalError(Problem(422, "Input should be a message", "invalid", loc=("role",)))
        message = self._message(call.arguments[0], body["role"], body["content"])
        messages.append(message)
        return json_reply(message)

    def _run(self, call: Call) -> Reply:
        """A run answers the last message of the user, and is over at once."""
        thread_id, body = call.arguments[0], call.json()
        messages, mind = self._of(thread_id), body.get("assistant_id")
        if not isinstance(mind, str):
            raise RefusalError(Problem(422, "Field required", "missing", loc=("assistant_id",)))
        self._check_mind(mind)
        asked = [text_of(message) for message in messages if message["role"] == "user"]
        answer = self._message(thread_id, "assistant", f"echo: {asked[-1] if asked else ''}")
        messages.append(answer)
        run: Json = {
            "id": f"run_{self._ids.next_number()}",
            "object": "thread.run",
            "created_at": CREATED["minds"],
            "thread_id": thread_id,
            "assistant_id": mind,
            "status": "completed",
        }
        self._runs[thread_id, run["id"]] = run
        if len(self._runs) > KEPT_RUNS:
            del self._runs[next(iter(self._runs))]
        if is_streamed(call.script, body.get("stream") is True):
            return streamed(_events(run, answer), "", 0)
        return json_reply(run)

    def _get_run(self, call: Call) -> Reply:
        run = self._runs.get((call.arguments[0], call.arguments[1]))
        if run is None:
            raise RefusalError(Problem(404, f"Run '{call.arguments[1]}' not found", ""))
        return json_reply(run)

    def _message(self, thread_id: str, role: str, content: str) -> Json:
        return {
            "id": f"msg_{self._ids.next_number()}",
            "object": "thread.message",
            "created_at": CREATED["minds"],
            "thread_id": thread_id,
            "role": role,
            "content": content,
        }


def _events(run: Json, answer: Json) -> Iterator[Event]:
    yield Event(payload=run | {"status": "in_progress"}, name="thread.run.in_progress")
    for word in split_words(answer["content"]):
        delta = {"id": answer["id"], "object": "thread.message.delta", "delta": {"content": word}}
        yield Event(payload=delta, name="thread.message.delta")
    yield Event(payload=answer, name="thread.message.completed")
    yield Event(payload=run, name="thread.run.completed")
    yield Event(text=DONE.text, name="done", kind="done")
