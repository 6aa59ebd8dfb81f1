"""What 4minds keeps for an account (X6, X7): uploads with the field `4minds`, datasets, jobs."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from app.simulators.datasets import Datasets
from app.simulators.dialect import Call, Route
from app.simulators.file_shelf import FileShelf, read_form, read_upload
from app.simulators.form_reader import Form
from app.simulators.job_shelf import JobShelf, read_job
from app.simulators.model_shelf import ModelShelf
from app.simulators.replies import Json, Problem, RefusalError, Reply, json_reply
from app.simulators.shelf import whole_list

FIELD = "4minds"
MAX_UPLOAD_BYTES = 100 * 1024 * 1024
FIRST_TRAINED = 1001  # the number of the first model that a job made
TRAINING_TYPES = ("graph", "rl", "sft")
OPTION_TYPES: dict[str, type] = {
    "dataset_name": str,
    "dataset_id": int,
    "training_type": str,
    "model_params": dict,
}
CATEGORIES = ("General", "Medical", "Legal", "Finance")
EXTERNAL_MODELS = {42: "databricks-dbrx", 43: "azure-phi"}


class Resources:
    """Files, datasets and jobs of one account, and the routes to them."""

    def __init__(self, models: ModelShelf, created: int) -> None:
        """Begin empty. *models* is where a job puts what it trained."""
        self._models = models
        self._files = FileShelf(created, whole_list)
        self._datasets = Datasets(self._files)
        self._jobs = JobShelf(created, whole_list, _trained_name, models.add)

    def routes(self) -> tuple[Route, ...]:
        """F10 to F24, and the content that only the word `content` serves."""
        jobs = ("fine_tuning", "jobs")
        return (
            Route("POST", ("files",), self._upload),
            *self._files.routes(),
            Route("GET", ("files", "{}", "content"), self._files.read, check=_check_content),
            Route("POST", jobs, self._train, "body", self._models.check),
            *self._jobs.routes(),
            Route("GET", ("fine-tune-categories",), _list_categories),
            *self._datasets.routes(),
            Route("GET", ("external-models",), _list_external_models),
        )

    def _upload(self, call: Call) -> Reply:
        _check_fields(read_form(call))
        file, purpose = read_upload(call, MAX_UPLOAD_BYTES)
        options = _read_options(read_form(call))
        dataset_id = options.get("dataset_id")
        if dataset_id is None:
            dataset_id = self._datasets.add(options.get("dataset_name"))
        else:
            self._datasets.check(dataset_id)
        row = self._files.add(file.filename or "", purpose, file.size, file.content)
        row["dataset_id"] = dataset_id
        self._train_again(dataset_id, row["id"])
        return json_reply(row | {FIELD: {"training_type": "graph", **options}})

    def _train_again(self, dataset_id: int, file_id: str) -> None:
        """An upload to a dataset that has a model starts training by itself (seed)."""
        done = [job for job in self._jobs.of_dataset(dataset_id) if job["fine_tuned_model"]]
        if done:
            self._jobs.add(done[-1]["model"], file_id, None, **self._dataset_members(dataset_id))

    def _train(self, call: Call) -> Reply:
        body = call.body or {}
        if not self._models.is_base(call.model):
            known = ", ".join(self._models.bases)
            message = f"'{call.asked}' is no base model. Known: {known}."
            raise RefusalError(Problem(400, message, "invalid_model", loc=("model",)))
        training_file, suffix = read_job(body)
        external = body.get("external_model_id")
        if external is not None and (type(external) is not int or external not in EXTERNAL_MODELS):
            message = f"No external model {external!r}."
            raise RefusalError(Problem(400, message, "invalid", loc=("external_model_id",)))
        dataset_id = self._files.get(training_file).get("dataset_id")
        members = self._dataset_members(dataset_id)
        members["external_model_id"] = external
        return json_reply(self._jobs.add(call.model, training_file, suffix, **members))

    def _dataset_members(self, dataset_id: Any) -> Json:
        """It trains on all files of the dataset, not on the one named alone (seed)."""
        files = [] if dataset_id is None else self._files.of_dataset(dataset_id)
        return {"dataset_id": dataset_id, "trained_files": [file["id"] for file in files]}


def _check_content(call: Call) -> None:
    """4minds documents no content (K2)."""
    if "content" not in call.script:
        message = f"Unknown request URL: GET /files/{call.arguments[0]}/content"
        raise RefusalError(Problem(404, message, "unknown_url"))


def _check_fields(form: Form) -> None:
    """Refuse what an SDK makes of an object: 4minds knows its field as JSON text only."""
    for part in form.parts:
        if part.name.startswith(FIELD + "["):
            message = f"Unknown form field '{part.name}'."
            raise RefusalError(Problem(400, message, "unknown_field", loc=(part.name,)))


def _read_options(form: Form) -> Json:
    """What the field `4minds` says; `dataset_id` wins over `dataset_name` (X7)."""
    parts = form.named(FIELD)
    if not parts:
        return {}
    if len(parts) > 1 or parts[0].filename is not None:
        _refuse_options("is one form field")
    try:
        options = json.loads(parts[0].text() or "")
    except ValueError:
        _refuse_options("is JSON text")
    if not isinstance(options, dict) or not options.keys() <= OPTION_TYPES.keys():
        _refuse_options(f"is an object of {', '.join(OPTION_TYPES)}")
    for name, value in options.items():
        if type(value) is not OPTION_TYPES[name]:
            _refuse_options(f"has a {name} of another type")
    if options.get("training_type", "graph") not in TRAINING_TYPES:
        _refuse_options(f"has a training_type of {', '.join(TRAINING_TYPES)}")
    if "dataset_id" in options:
        options.pop("dataset_name", None)
    return options


def _refuse_options(must: str) -> NoReturn:
    message = f"The field '{FIELD}' {must}."
    raise RefusalError(Problem(400, message, "invalid_4minds_field", loc=(FIELD,)))


def _trained_name(row: Json, number: int) -> str:
    return f"4minds-model-{FIRST_TRAINED - 1 + number}"


def _list_categories(call: Call) -> Reply:
    rows = [{"id": place, "name": name} for place, name in enumerate(CATEGORIES, start=1)]
    return json_reply(whole_list(call, rows))


def _list_external_models(call: Call) -> Reply:
    rows = [
        {"id": number, "name": name, "provider": name.partition("-")[0]}
        for number, name in EXTERNAL_MODELS.items()
    ]
    return json_reply(whole_list(call, rows))
