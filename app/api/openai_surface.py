"""
The `/v1` routes as `/docs` shows them.

The data plane answers these paths before FastAPI sees a request, so nothing here ever runs: a function is its
signature and its docstring, from which FastAPI draws the page. The schemas name what the gateway itself reads
or promises; other members pass as they are.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app.api.surface_parts import BEARER, ERRORS, Open, Pin

_EXAMPLE: JsonDict = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": False,
}


class ChatMessage(Open):
    """One message. `content` is text, or parts of text and images."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None


class StreamOptions(Open):
    """`include_usage` adds one last chunk with the usage of the whole answer."""

    include_usage: bool = False


class ChatCompletionRequest(Open):
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


class AnswerMessage(Open):
    """The answer. What a Mind thought before it stands in `reasoning_content`."""

    role: Literal["assistant"]
    content: str | None
    reasoning_content: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class Choice(Open):
    """One choice."""

    index: int
    message: AnswerMessage
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter", "function_call"]


class Usage(Open):
    """Tokens, as the upstream counted them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(Open):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | None = None


class Model(Open):
    """One model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(Open):
    """All models the key may use, in one page."""

    object: Literal["list"]
    data: list[Model]


class DeletedModel(Open):
    """A model that is gone."""

    id: str
    object: Literal["model"]
    deleted: bool


class OwnLimit(BaseModel):
    """One limit, in its own unit; US dollars for `budget_usd`. `reset_at`: when all of it is free again."""

    used: float
    limit: float
    remaining: float
    reset_at: str | None


class Spend(BaseModel):
    """What was spent in one period."""

    cost_usd: float
    tokens: int


class OwnScope(BaseModel):
    """Whose limits they are: the key's own, or its team's."""

    type: Literal["key", "team"]
    id: str
    name: str
    limits: dict[str, OwnLimit] = Field(
        description="By `rpm`, `tpm`, `concurrency`, `budget_usd`, `budget_tokens`."
    )
    spend: dict[str, Spend] = Field(description="By `day`, `week`, `month`, `total`.")


class LastError(BaseModel):
    """An exchange of this key that did not end well."""

    id: str
    created_at: str
    model: str
    status: int
    outcome: str
    code: str | None


class Me(BaseModel):
    """A key, as its holder may see it."""

    object: Literal["me"]
    name: str
    team: str | None
    models: list[str]
    max_tokens: int | None
    resources: Literal["own", "all"]
    scopes: list[OwnScope]
    last_errors: list[LastError]


class TimeLine(BaseModel):
    """Seconds since the request came; null for what did not happen."""

    received_seconds: float
    upstream_asked_seconds: float | None
    upstream_answered_seconds: float | None
    first_byte_seconds: float | None
    finished_seconds: float


class ReceiptAttempt(BaseModel):
    """One time that an upstream was asked."""

    upstream: str
    model: str
    result: str
    began_seconds: float | None
    ended_seconds: float | None


class ReceiptUsage(BaseModel):
    """Tokens; `source` is null where nothing was used."""

    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    source: Literal["upstream", "estimated"] | None


class Receipt(BaseModel):
    """One exchange, without its content. `cost_usd` is null for a model without a price."""

    object: Literal["exchange"]
    id: str
    created_at: str
    endpoint: str
    model: str
    upstream: str
    upstream_model: str
    stream: bool
    status: int
    outcome: str
    phase: str | None
    code: str | None
    recovered: bool
    timeline: TimeLine
    attempts: list[ReceiptAttempt]
    usage: ReceiptUsage
    cost_usd: float | None


ModelId = Annotated[
    str, Path(description="May hold `/`, `:` and blanks, encoded or raw.", examples=["gpt-4o"])
]

router = APIRouter(prefix="/v1", dependencies=[Depends(BEARER)], responses=ERRORS)


@router.post(
    "/chat/completions",
    response_model=ChatCompletion,
    tags=["chat"],
    responses={
        200: {
            "description": "The answer; with `stream: true` as `text/event-stream`, ended by `data: [DONE]`.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def create_chat_completion(body: ChatCompletionRequest, pin: Pin = None) -> None:
    """Create a chat completion."""


@router.get("/models", response_model=ModelList, tags=["models"])
async def list_models(pin: Pin = None) -> None:
    """List the models of all upstreams that the key may use, routes and aliases included."""


@router.get("/models/{model:path}", response_model=Model, tags=["models"])
async def get_model(model: ModelId, pin: Pin = None) -> None:
    """Describe one model."""


@router.delete("/models/{model:path}", response_model=DeletedModel, tags=["models"])
async def delete_model(model: ModelId, pin: Pin = None) -> None:
    """Delete a fine-tuned model at its upstream: one that the key's team made; any, with `resources: all`."""


@router.get("/me", response_model=Me, tags=["gateway"])
async def show_me() -> None:
    """What this key may do, what is left of its limits and its team's, what it spent, and what failed last."""


@router.get("/requests/{id}", response_model=Receipt, tags=["gateway"])
async def show_receipt(id: Annotated[str, Path(description="The reply's `x-request-id`.")]) -> None:
    """The receipt of an exchange of this key's own."""
