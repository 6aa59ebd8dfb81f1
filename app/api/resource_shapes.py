"""The bodies and answers of the `/v1` routes beside chat and models, for `/docs`: what is read or promised of them."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.api.surface_parts import Open


class StoredFile(Open):
    """A file. At 4minds `dataset_id` says where it went."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    filename: str
    purpose: str
    status: str
    dataset_id: int | None = None


class FilePage(Open):
    """A page of files that the key may see."""

    object: Literal["list"]
    data: list[StoredFile]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Job(Open):
    """A fine-tuning job."""

    id: str
    object: Literal["fine_tuning.job"]
    created_at: int
    model: str
    status: str
    training_file: str
    fine_tuned_model: str | None
    error: dict[str, Any] | None


class JobPage(Open):
    """A page of jobs, their events or checkpoints."""

    object: Literal["list"]
    data: list[dict[str, Any]]
    has_more: bool


class JobRequest(Open):
    """What to train. At 4minds `model` is a base model's display name."""

    model: str | None = Field(None, examples=["Gemma-12B AWQ"])
    training_file: str | None = Field(None, description="A file that the key may touch.")
    validation_file: str | None = None
    suffix: str | None = None
    external_model_id: int | None = Field(None, description="4minds: of `GET /v1/external-models`.")


class Dataset(Open):
    """A dataset of 4minds. One alone lists its files."""

    id: int
    name: str
    file_count: int | None = None
    total_bytes: int | None = None
    status: str | None = None
    created_at: str | None = None


class DatasetRequest(Open):
    """A dataset to make."""

    name: str


class ImportRequest(Open):
    """A dataset to make of what an integration has."""

    integration_id: str
    source_path: str


class Rows(Open):
    """A list as 4minds sends it."""

    object: Literal["list"]
    data: list[dict[str, Any]]


class Completion(Open):
    """A stored completion."""

    id: str
    object: Literal["chat.completion"]
    model: str
    metadata: dict[str, str] | None = None


class CompletionPage(Open):
    """A page of stored completions, or of one's messages."""

    object: Literal["list"]
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool


class CompletionChange(Open):
    """OpenAI's `metadata`, or a `title` at 4minds."""

    metadata: dict[str, str] | None = None
    title: str | None = None


class Deleted(Open):
    """What is gone."""

    id: str
    object: str
    deleted: bool


class EmbeddingRequest(Open):
    """Text or tokens, one or many."""

    model: str
    input: str | list[str] | list[int] | list[list[int]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None


class EmbeddingList(Open):
    """Vectors, in the order of what they are of."""

    object: Literal["list"]
    data: list[dict[str, Any]]
    model: str
    usage: dict[str, int] | None = None


class SpeechRequest(Open):
    """Text to say."""

    model: str = Field(examples=["tts-1", "eleven_flash_v2_5", "riva"])
    input: str = Field(examples=["Hello"])
    voice: str | dict[str, Any] = Field(examples=["alloy"])
    response_format: str | None = Field(None, examples=["mp3"])
    speed: float | None = None
    stream_format: Literal["audio", "sse"] | None = None


class Ability(BaseModel):
    """In which form an upstream has a capability, and the routes that ask for it; a family's as `* /v1/images`."""

    support: Literal["native", "map", "local", "auto", "bridge", "-"]
    routes: list[str]


class UpstreamAbilities(BaseModel):
    """One upstream. `native`: the classes of its own routes that are relayed below `/{upstream}`."""

    id: str
    object: Literal["upstream"]
    dialect: Literal["4minds", "minds", "openmind", "openai"]
    capabilities: dict[str, Ability]
    native: list[Literal["use", "read", "manage"]]


class Capabilities(BaseModel):
    """The capability matrix of the configured upstreams."""

    object: Literal["list"]
    data: list[UpstreamAbilities]
