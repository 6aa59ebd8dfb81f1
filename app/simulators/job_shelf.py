"""
Fine-tuning jobs as state (X6): `queued` when made, `running` at the first look, then `succeeded`.

A look is a GET of the job; lists show it as it stands. What it trained is a model from then on.
"""

from __future__ import annotations

from collections.abc import Callable

from app.simulators.dialect import Call, Ids, Route
from app.simulators.replies import Json, Problem, RefusalError, Reply, json_reply
from app.simulators.shelf import Listing, Shelf

_NEXT = {"queued": "running", "running": "succeeded"}
_PREFIX = "ftjob-sim"
_JOBS = ("fine_tuning", "jobs")

NameModel = Callable[[Json, int], str]


class JobShelf:
    """The jobs that one upstream knows."""

    def __init__(
        self,
        created: int,
        listing: Listing,
        name_model: NameModel,
        trained: Callable[[str], None],
    ) -> None:
        """*name_model* names what a job makes, by its row and number; *trained* is then told."""
        self._created = created
        self._listing = listing
        self._name_model = name_model
        self._trained = trained
        self._rows = Shelf("Fine-tuning job")
        self._ids = Ids()

    def add(self, model: str, training_file: str, suffix: str | None, **more: object) -> Json:
        """The row of a job that is queued now."""
        number = self._ids.next_number()
        row: Json = {
            "id": f"{_PREFIX}{number:09d}",
            "object": "fine_tuning.job",
            "created_at": self._created,
            "model": model,
            "fine_tuned_model": None,
            "finished_at": None,
            "hyperparameters": {"n_epochs": "auto"},
            "organization_id": "org-sim",
            "result_files": [],
            "seed": 0,
            "status": "queued",
            "trained_tokens": None,
            "training_file": training_file,
            "validation_file": None,
            "error": None,
            "user_provided_suffix": suffix,
            **more,
        }
        return self._rows.add(row)

    def get(self, job_id: str) -> Json:
        """The row itself, as it stands. Raises RefusalError 404."""
        return self._rows.get(job_id)

    def of_dataset(self, dataset_id: int) -> list[Json]:
        """The jobs that train on one dataset, oldest first."""
        return [row for row in self._rows if row.get("dataset_id") == dataset_id]

    def routes(self) -> tuple[Route, ...]:
        """List, get, cancel."""
        return (
            Route("GET", _JOBS, self._list),
            Route("GET", (*_JOBS, "{}"), self._look),
            Route("POST", (*_JOBS, "{}", "cancel"), self._change("cancelled", *_NEXT, "paused")),
        )

    def more_routes(self) -> tuple[Route, ...]:
        """What only OpenAI has: pause, resume, events, checkpoints."""
        return (
            Route("POST", (*_JOBS, "{}", "pause"), self._change("paused", *_NEXT)),
            Route("POST", (*_JOBS, "{}", "resume"), self._change("queued", "paused")),
            Route("GET", (*_JOBS, "{}", "events"), self._events),
            Route("GET", (*_JOBS, "{}", "checkpoints"), self._checkpoints),
        )

    def _list(self, call: Call) -> Reply:
        return json_reply(self._listing(call, list(self._rows)))

    def _look(self, call: Call) -> Reply:
        row = self.get(call.arguments[0])
        row["status"] = _NEXT.get(row["status"], row["status"])
        if row["status"] == "succeeded" and row["fine_tuned_model"] is None:
            name = self._name_model(row, int(row["id"].removeprefix(_PREFIX)))
            row |= {"fine_tuned_model": name, "finished_at": self._created, "trained_tokens": 1000}
            self._trained(name)
        return json_reply(row)

    def _change(self, status: str, *allowed: str) -> Callable[[Call], Reply]:
        def change(call: Call) -> Reply:
            row = self.get(call.arguments[0])
            if row["status"] not in allowed:
                message = f"Job {row['id']} has status {row['status']}."
                raise RefusalError(Problem(400, message, "invalid_status"))
            row["status"] = status
            return json_reply(row)

        return change

    def _events(self, call: Call) -> Reply:
        row = self.get(call.arguments[0])
        reached = ["queued", "running", "succeeded"]
        reached = reached[: reached.index(row["status"]) + 1] if row["status"] in reached else []
        rows: list[Json] = [
            {
                "id": f"ftevent-{row['id'].removeprefix('ftjob-')}-{place}",
                "object": "fine_tuning.job.event",
                "created_at": self._created,
                "level": "info",
                "message": f"The job is {status}.",
                "type": "message",
                "data": None,
            }
            for place, status in enumerate(reached, start=1)
        ]
        return json_reply(self._listing(call, rows))

    def _checkpoints(self, call: Call) -> Reply:
        row = self.get(call.arguments[0])
        rows: list[Json] = []
        if row["fine_tuned_model"] is not None:
            rows.append(
                {
                    "id": f"ftckpt-{row['id'].removeprefix('ftjob-')}",
                    "object": "fine_tuning.job.checkpoint",
                    "created_at": self._created,
                    "fine_tuned_model_checkpoint": f"{row['fine_tuned_model']}:ckpt-step-10",
                    "fine_tuning_job_id": row["id"],
                    "metrics": {"step": 10, "train_loss": 0.5},
                    "step_number": 10,
                }
            )
        return json_reply(self._listing(call, rows))


def read_job(body: Json) -> tuple[str, str | None]:
    """The members `training_file` and `suffix`. Raises RefusalError 400."""
    for name, is_needed in (("training_file", True), ("suffix", False)):
        value = body.get(name)
        if (value is None and is_needed) or not isinstance(value, str | None):
            raise RefusalError(Problem(400, f"'{name}' is a string.", "invalid", loc=(name,)))
    return body["training_file"], body.get("suffix")
