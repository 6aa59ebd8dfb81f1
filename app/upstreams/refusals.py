"""
What an upstream's refusal becomes: the first row of a table that fits (upstreams E-C1 to E-C9, E-C14).

Law: whose fault it was stays true. A refused key is the operator's affair and its text stays in the log; an unknown
model is the client's, whatever status the upstream gave it; an upstream's own OpenAI envelope leaves byte for byte
(contract F3).
"""

from collections.abc import Callable, Collection
from dataclasses import replace

import msgspec

from app.domain.errors import (
    GatewayError,
    UpstreamAnswered,
    UpstreamMalformed,
    UpstreamRefusedCredential,
    UpstreamTimeout,
    no_such_model,
    unknown_model,
)
from app.protocol.error_shapes import error_in, read_error, usual_type
from app.upstreams import refusal_signs as signs
from app.upstreams.refusal_signs import RATE_LIMIT, Refused, Sign
from app.upstreams.waits import HeaderSource, lower_case, retry_after_seconds

__all__ = ["refusal", "refusal_of_ok_error", "retry_after_seconds"]

_QUOTA = "You exceeded your current quota, please check your plan and billing details."
_USUAL_WAIT_SECONDS = 1.0
# Statuses that mean something else to our client than to the upstream's (contract F47, G5).
_STATUSES = {409: 400, 501: 502, 529: 503}


# The seam names eight facts, and a caller has each of them at hand under that name.
def refusal(  # noqa: PLR0913
    *,
    upstream: str,
    dialect: str,
    status: int,
    headers: HeaderSource,
    body: bytes,
    model: str,
    capability: str = "chat.create",
    secrets: Collection[str] = (),
) -> GatewayError:
    """The error a client gets for an upstream's answer with *status*, which is not the answer that was wanted.

    *model*: the name the client asked with. *capability*: what was asked of the upstream, as in upstreams 2.
    *secrets*: what the text must not repeat, as the upstream's key and its host. Raises nothing.
    """
    found = lower_case(headers)
    text = read_error(
        body, found.get("content-type", ""), upstream=upstream, status=status, secrets=secrets
    )
    refused = Refused(
        upstream, dialect, status, model, capability, text, retry_after_seconds(found)
    )
    return _first(_REFUSALS, refused)


def refusal_of_ok_error(
    *, upstream: str, dialect: str, body: bytes, model: str, secrets: Collection[str] = ()
) -> GatewayError:
    """The error for a 200 whose body, or event's data, is an error or no answer (E-C9, E-C10; S7, contract J4)."""
    unsaid = f"Upstream '{upstream}' ended its answer with an error."
    text = error_in(body, status=502, unsaid=unsaid, secrets=secrets)
    if text is None:
        return UpstreamMalformed(f"Upstream '{upstream}' sent {_kind_of_nothing(body)}.")
    return _first(_OK_ERRORS, Refused(upstream, dialect, 200, model, "chat.create", text))


# --- outcomes -------------------------------------------------------------------------------------------------------


def _malformed(refused: Refused) -> GatewayError:
    kind = ", a redirect, which the gateway does not follow" if 300 <= refused.status < 400 else ""
    return UpstreamMalformed(
        f"Upstream '{refused.upstream}' answered with HTTP {refused.status}{kind}."
    )


def _model_not_found(refused: Refused) -> GatewayError:
    about_one = signs.is_about_one_model(refused)
    return no_such_model(refused.model) if about_one else unknown_model(refused.model)


def _rate_limit_in_disguise(refused: Refused) -> GatewayError:
    stated = RATE_LIMIT.search(refused.text.message)
    return _rate_limited(refused, float(stated[1]) if stated else None)


def _refused_deletion(refused: Refused) -> GatewayError:
    said = refused.text.message
    return UpstreamAnswered(
        said, status=403, type="invalid_request_error", code="insufficient_permissions"
    )


def _refused_credential(refused: Refused) -> GatewayError:
    error = UpstreamRefusedCredential(
        f"Upstream '{refused.upstream}' refused the gateway's credential. This is not your key."
    )
    error.log_detail = refused.text.message
    return error


def _out_of_quota(refused: Refused) -> GatewayError:
    whose = f"The quota is that of upstream '{refused.upstream}', not your key's: {refused.text.message}"
    return UpstreamAnswered(
        f"{_QUOTA} {whose}",
        status=429,
        type="insufficient_quota",
        code="insufficient_quota",
        should_retry=False,
    )


def _too_many_requests(refused: Refused) -> GatewayError:
    if not refused.text.is_envelope:
        return _rate_limited(refused, refused.wait_seconds)
    code = refused.text.code or "rate_limit_exceeded"
    return _in_its_words(refused, code, wait_seconds=_some(refused.wait_seconds))


def _rate_limited(refused: Refused, wait_seconds: float | None) -> GatewayError:
    return UpstreamAnswered(
        refused.text.message,
        status=429,
        type="rate_limit_error",
        code="rate_limit_exceeded",
        retry_after_seconds=_some(wait_seconds),
    )


def _timeout(refused: Refused) -> GatewayError:
    """A 408 is for clients that were slow, and is asked again; ours was not (contract G5)."""
    return UpstreamTimeout(
        f"Upstream '{refused.upstream}' gave up waiting (HTTP 408).", phase="first_byte"
    )


def _failed(refused: Refused) -> GatewayError:
    # A wait is stated on a 503 alone (contract C12).
    wait = refused.wait_seconds if _outgoing(refused.status) == 503 else None
    own = refused.text.code if refused.text.is_envelope else None
    return _in_its_words(refused, own or "upstream_error", wait_seconds=wait)


def _rejected(refused: Refused) -> GatewayError:
    return _in_its_words(refused, refused.text.code)


def _invalid(refused: Refused) -> GatewayError:
    """FastAPI's list of faulty members: for OpenAI's clients that is a 400 (contract F4)."""
    return _rejected(replace(refused, status=400))


def _failed_in_a_200(refused: Refused) -> GatewayError:
    return UpstreamAnswered(
        refused.text.message, status=502, type="server_error", code="upstream_error"
    )


def _in_its_words(
    refused: Refused, code: str | None, *, wait_seconds: float | None = None
) -> GatewayError:
    """The upstream's own message; its own envelope byte for byte. *code* stands where it must be rewritten."""
    text, status = refused.text, _outgoing(refused.status)
    return UpstreamAnswered(
        text.message,
        status=status,
        type=text.type if text.is_envelope and text.type else usual_type(status),
        code=code if text.verbatim is None else text.code,
        param=text.param,
        retry_after_seconds=wait_seconds,
        body=text.verbatim,
    )


def _outgoing(status: int) -> int:
    return _STATUSES.get(status, 502 if status >= 505 else status)


def _some(wait_seconds: float | None) -> float:
    """A 429 always says how long; 1 s where the upstream does not (E-C6)."""
    return wait_seconds or _USUAL_WAIT_SECONDS


def _kind_of_nothing(body: bytes) -> str:
    """What a body is that holds neither an answer nor an error (contract F45)."""
    body = body.strip()
    if not body:
        return "an empty answer"
    if body.startswith(b"<"):
        return "HTML in place of an answer"
    try:
        msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return "an answer that is no JSON"
    return "JSON that is no answer"


# --- the tables: the first row whose sign fits ----------------------------------------------------------------------

Row = tuple[str, Sign, Callable[[Refused], GatewayError]]

_REFUSALS: tuple[Row, ...] = (
    ("E-C14", signs.is_no_answer, _malformed),
    ("E-C1", signs.names_an_unknown_model, _model_not_found),
    ("E-C3", signs.is_rate_limit_in_disguise, _rate_limit_in_disguise),
    ("C-K7", signs.is_refused_deletion, _refused_deletion),
    ("E-C4", signs.is_refused_credential, _refused_credential),
    ("E-C5", signs.is_out_of_quota, _out_of_quota),
    ("E-C6", signs.has_status(429), _too_many_requests),
    ("E-C7", signs.has_status(408), _timeout),
    ("E-C8", signs.is_server_error, _failed),
    ("E-C2", signs.is_validation_list, _invalid),
    ("E-C2", signs.is_any, _rejected),
)

_OK_ERRORS: tuple[Row, ...] = (
    ("E-C1", signs.says_unknown_model, _model_not_found),
    ("E-C5", signs.says_out_of_quota, _out_of_quota),
    ("E-C6", signs.says_rate_limited, _rate_limit_in_disguise),
    ("E-C4", signs.says_refused_credential, _refused_credential),
    ("E-C9", signs.is_any, _failed_in_a_200),
)


def _first(rows: tuple[Row, ...], refused: Refused) -> GatewayError:
    return next(outcome(refused) for _, sign, outcome in rows if sign(refused))
