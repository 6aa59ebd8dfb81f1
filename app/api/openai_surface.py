"""
The `/v1` routes as `/docs` shows them.

The data plane answers these paths before FastAPI sees a request, so nothing here ever runs: a function is its
signature and its docstring, from which FastAPI draws the page. The schemas name what the gateway itself reads
or promises; other members pass as they are.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

_EXAMPLE: JsonDict = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": False,
}


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class ChatMessage(_Open):
    """One message. `content` is text, or parts of text and images."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None


class StreamOptions(_Open):
    """`include_usage` adds one last chunk with the usage of the whole answer."""

    include_usage: bool = False


class ChatCompletionRequest(_Open):
    """A chat completion. Members that are not named here reach the upstream as they came."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": _EXAMPLE})

    model: str = Field(
        examples=[
            "4minds-model-123",
            "sales_mind",
            "gpt-4o",
            "openmind/gemini/gemini-2.0-flash-exp",
        ],
        description="A name from `/v1/models`, an alias or route of the configuration, or `upstream/model`.",
    )
    messages: list[ChatMessage] = Field(examples=[[{"role": "user", "content": "Hello"}]])
    stream: bool | None = Field(None, description="Answer as server-sent events.")
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    tools: list[dict[str, Any]] | None = None


class AnswerMessage(_Open):
    """The answer. What a Mind thought before it stands in `reasoning_content`."""

    role: Literal["assistant"]
    content: str | None
    reasoning_content: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class Choice(_Open):
    """One choice."""

    index: int
    message: AnswerMessage
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter", "function_call"]


class Usage(_Open):
    """Tokens, as the upstream counted them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(_Open):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | None = None


class Model(_Open):
    """One model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(_Open):
    """All models the key may use, in one page."""

    object: Literal["list"]
    data: list[Model]


class DeletedModel(_Open):
    """A model that is gone."""

    id: str
    object: Literal["model"]
    deleted: bool


class ErrorDetail(BaseModel):
    """What happened, whose fault it is and what to do."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    """Every reply that is not a success."""

    error: ErrorDetail


_bearer = HTTPBearer(description="The gateway's key. `x-api-key` and `api-key` carry it as well.")
Pin = Annotated[
    str | None,
    Header(
        alias="x-mindgate-upstream",
        description="Pins the upstream; so does the base URL `/{upstream}/v1`.",
    ),
]
ModelId = Annotated[
    str, Path(description="May hold `/`, `:` and blanks, encoded or raw.", examples=["gpt-4o"])
]
# One row for every status: contract F has them, and FastAPI's own 422 shape never shows.
_ERRORS: dict[int | str, dict[str, Any]] = {
    "default": {"model": ErrorReply, "description": "Every reply that is not a success."}
}

router = APIRouter(
    prefix="/v1", tags=["OpenAI"], dependencies=[Depends(_bearer)], responses=_ERRORS
)


@router.post(
    "/chat/completions",
    response_model=ChatCompletion,
    responses={
        200: {
            "description": "The answer; with `stream: true` as `text/event-stream`, ended by `data: [DONE]`.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def create_chat_completion(body: ChatCompletionRequest, pin: Pin = None) -> None:
    """Create a chat completion."""


@router.get("/models", response_model=ModelList)
async def list_models(pin: Pin = None) -> None:
    """List the models of all upstreams that the key may use, routes and aliases included."""


@router.get("/models/{model:path}", response_model=Model)
async def get_model(model: ModelId, pin: Pin = None) -> None:
    """Describe one model."""


@router.delete("/models/{model:path}", response_model=DeletedModel)
async def delete_model(model: ModelId, pin: Pin = None) -> None:
    """Delete a fine-tuned model at its upstream. The key needs `resources: all`."""
