"""
The `/v1` routes beside chat and models as `/docs` shows them: files, jobs, datasets, stored completions, audio and the
rest. As in `openai_surface`, nothing here ever runs.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query

from app.api.resource_shapes import (
    Capabilities,
    Completion,
    CompletionChange,
    CompletionPage,
    Dataset,
    DatasetRequest,
    Deleted,
    EmbeddingList,
    EmbeddingRequest,
    FilePage,
    ImportRequest,
    Job,
    JobPage,
    JobRequest,
    Rows,
    SpeechRequest,
    StoredFile,
)
from app.api.surface_parts import BEARER, ERRORS, Pin
from app.protocol.endpoints import FAMILIES
from app.protocol.native_paths import SOCKET
from app.upstreams.native_routes import NATIVE_ROUTES

ObjectId = Annotated[str, Path(description="Letters, digits and `_ - . : @`, 256 at most.")]
Limit = Annotated[int | None, Query(description="Items to a page.")]
After = Annotated[str | None, Query(description="The id behind which the page begins.")]
Order = Annotated[Literal["asc", "desc"] | None, Query()]


resources = APIRouter(prefix="/v1", dependencies=[Depends(BEARER)], responses=ERRORS)
families = APIRouter(
    prefix="/v1", tags=["families"], dependencies=[Depends(BEARER)], responses=ERRORS
)
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes.", "content": {"application/octet-stream": {}}}
}


def _form(*required: str, **fields: dict[str, Any]) -> dict[str, Any]:
    """A multipart body, which streams: FastAPI's own would be read."""
    schema = {"type": "object", "required": list(required), "properties": fields}
    content = {"multipart/form-data": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


_A_FILE = {"type": "string", "format": "binary"}
_A_TEXT = {"type": "string"}
_UPLOAD = _form(
    "file",
    "purpose",
    file=_A_FILE,
    purpose=_A_TEXT,
    **{
        "4minds": {
            **_A_TEXT,
            "description": "4minds: JSON text with `dataset_name`, `dataset_id` …",
        }
    },
)
_SOUND = _form(
    "file",
    "model",
    file=_A_FILE,
    model=_A_TEXT,
    language=_A_TEXT,
    response_format=_A_TEXT,
    stream={"type": "boolean"},
)

# --- stored completions -----------------------------------------------------------------------------------------------


@resources.get("/chat/completions", response_model=CompletionPage, tags=["stored completions"])
async def list_completions(
    model: str | None = None,
    limit: Limit = None,
    after: After = None,
    order: Order = None,
    pin: Pin = None,
) -> None:
    """List the stored completions that the key may see; `metadata[key]=value` filters."""


@resources.get("/chat/completions/{id}", response_model=Completion, tags=["stored completions"])
async def get_completion(id: ObjectId, pin: Pin = None) -> None:
    """Get a stored completion."""


@resources.post("/chat/completions/{id}", response_model=Completion, tags=["stored completions"])
async def change_completion(id: ObjectId, body: CompletionChange, pin: Pin = None) -> None:
    """Change a stored completion."""


@resources.delete("/chat/completions/{id}", response_model=Deleted, tags=["stored completions"])
async def delete_completion(id: ObjectId, pin: Pin = None) -> None:
    """Delete a stored completion."""


@resources.get(
    "/chat/completions/{id}/messages", response_model=CompletionPage, tags=["stored completions"]
)
async def list_messages(
    id: ObjectId, limit: Limit = None, after: After = None, order: Order = None, pin: Pin = None
) -> None:
    """List the messages of a stored completion."""


# --- files ------------------------------------------------------------------------------------------------------------


@resources.get("/files", response_model=FilePage, tags=["files"])
async def list_files(
    purpose: str | None = None,
    limit: Limit = None,
    after: After = None,
    order: Order = None,
    pin: Pin = None,
) -> None:
    """List the files that the key may see."""


@resources.post("/files", response_model=StoredFile, tags=["files"], openapi_extra=_UPLOAD)
async def upload_file(pin: Pin = None) -> None:
    """Upload a file. It streams: nothing is held."""


@resources.get("/files/{id}", response_model=StoredFile, tags=["files"])
async def get_file(id: ObjectId, pin: Pin = None) -> None:
    """Get what is known of a file."""


@resources.delete("/files/{id}", response_model=Deleted, tags=["files"])
async def delete_file(id: ObjectId, pin: Pin = None) -> None:
    """Delete a file."""


@resources.get("/files/{id}/content", responses=_BYTES, tags=["files"])
async def get_content(id: ObjectId, pin: Pin = None) -> None:
    """Download a file, or with `Range` a part of it."""


# --- fine-tuning ------------------------------------------------------------------------------------------------------


@resources.get("/fine_tuning/jobs", response_model=JobPage, tags=["fine-tuning"])
async def list_jobs(limit: Limit = None, after: After = None, pin: Pin = None) -> None:
    """List the jobs that the key may see."""


@resources.post("/fine_tuning/jobs", response_model=Job, tags=["fine-tuning"])
async def create_job(body: JobRequest, pin: Pin = None) -> None:
    """Start a job."""


@resources.get("/fine_tuning/jobs/{id}", response_model=Job, tags=["fine-tuning"])
async def get_job(id: ObjectId, pin: Pin = None) -> None:
    """Get a job."""


@resources.post("/fine_tuning/jobs/{id}/cancel", response_model=Job, tags=["fine-tuning"])
async def cancel_job(id: ObjectId, pin: Pin = None) -> None:
    """Cancel a job."""


@resources.get("/fine_tuning/jobs/{id}/events", response_model=JobPage, tags=["fine-tuning"])
async def list_events(
    id: ObjectId, limit: Limit = None, after: After = None, pin: Pin = None
) -> None:
    """List what happened to a job."""


@resources.get("/fine_tuning/jobs/{id}/checkpoints", response_model=JobPage, tags=["fine-tuning"])
async def list_checkpoints(
    id: ObjectId, limit: Limit = None, after: After = None, pin: Pin = None
) -> None:
    """List a job's checkpoints."""


@resources.post("/fine_tuning/jobs/{id}/pause", response_model=Job, tags=["fine-tuning"])
async def pause_job(id: ObjectId, pin: Pin = None) -> None:
    """Pause a job."""


@resources.post("/fine_tuning/jobs/{id}/resume", response_model=Job, tags=["fine-tuning"])
async def resume_job(id: ObjectId, pin: Pin = None) -> None:
    """Let a job go on."""


@resources.get("/fine-tune-categories", response_model=Rows, tags=["fine-tuning"])
async def list_categories(pin: Pin = None) -> None:
    """List the categories of fine-tuning at 4minds."""


@resources.get("/external-models", response_model=Rows, tags=["fine-tuning"])
async def list_external_models(pin: Pin = None) -> None:
    """List the external models at 4minds."""


# --- datasets ---------------------------------------------------------------------------------------------------------


@resources.get("/datasets", response_model=Rows, tags=["datasets"])
async def list_datasets(pin: Pin = None) -> None:
    """List the datasets that the key may see."""


@resources.post("/datasets", response_model=Dataset, tags=["datasets"])
async def create_dataset(body: DatasetRequest, pin: Pin = None) -> None:
    """Make an empty dataset."""


@resources.post("/datasets/import", response_model=Dataset, tags=["datasets"])
async def import_dataset(body: ImportRequest, pin: Pin = None) -> None:
    """Make a dataset of what an integration has."""


@resources.get("/datasets/{id}", response_model=Dataset, tags=["datasets"])
async def get_dataset(id: ObjectId, pin: Pin = None) -> None:
    """Get a dataset with its files."""


@resources.delete("/datasets/{id}", response_model=Deleted, tags=["datasets"])
async def delete_dataset(id: ObjectId, permanent: bool | None = None, pin: Pin = None) -> None:
    """Delete a dataset."""


# --- the rest ---------------------------------------------------------------------------------------------------------


@resources.post("/embeddings", response_model=EmbeddingList, tags=["embeddings"])
async def create_embeddings(body: EmbeddingRequest, pin: Pin = None) -> None:
    """Embed text."""


@resources.post("/audio/speech", responses=_BYTES, tags=["audio"])
async def create_speech(body: SpeechRequest, pin: Pin = None) -> None:
    """Say a text."""


@resources.post("/audio/transcriptions", tags=["audio"], openapi_extra=_SOUND)
async def create_transcription(pin: Pin = None) -> None:
    """Write down what is said."""


def _native_routes() -> str:
    """The allow-list as a table: OpenAPI has no words for a websocket, nor for the rest of a path."""
    rows = ["| dialect | method | path | class |", "|---|---|---|---|"]
    for dialect, routes in NATIVE_ROUTES.items():
        for row in routes:
            methods = "websocket" if SOCKET in row.methods else ", ".join(row.methods)
            rows.append(f"| {dialect} | {methods} | `{row.path}` | {row.kind} |")
    return "\n".join(rows)


@resources.get(
    "/capabilities",
    response_model=Capabilities,
    tags=["gateway"],
    summary="List Capabilities And Native Routes",
    description=(
        "What each upstream can do. Beside the routes of this page, an upstream's own are relayed below `/{upstream}`, "
        f"as far as its `native` classes and the key's go:\n\n{_native_routes()}"
    ),
)
async def list_capabilities(pin: Pin = None) -> None:
    """Described above."""


async def relay_family(pin: Pin = None) -> None:
    """Every method, at this path or below, relayed to an upstream of dialect `openai`. What keeps state is for keys
    with `resources: all`."""


for _family in FAMILIES:
    families.add_api_route(
        f"/{_family}",
        relay_family,
        methods=["POST"],
        summary=f"Any method at /v1/{_family} and below",
        operation_id=f"relay_{_family.replace('/', '_')}",
    )
