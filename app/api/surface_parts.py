"""What the pages of the `/v1` routes share: the key, the pin, and the one shape of an error."""

from typing import Annotated, Any

from fastapi import Header
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict


class Open(BaseModel):
    """Takes members that it does not name."""

    model_config = ConfigDict(extra="allow")


class ErrorDetail(BaseModel):
    """What happened, whose fault it is and what to do."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    """Every reply that is not a success."""

    error: ErrorDetail


BEARER = HTTPBearer(description="The gateway's key. `x-api-key` and `api-key` carry it as well.")
Pin = Annotated[
    str | None,
    Header(
        alias="x-mindgate-upstream",
        description="Pins the upstream; so does the base URL `/{upstream}/v1`.",
    ),
]
# One row for every status: contract F has them, and FastAPI's own 422 shape never shows.
ERRORS: dict[int | str, dict[str, Any]] = {
    "default": {"model": ErrorReply, "description": "Every reply that is not a success."}
}
