"""What it means that an upstream's 200 holds no answer, for one configured upstream (upstreams E-C9, E-C10)."""

from app.domain.errors import GatewayError
from app.upstreams.refusals import refusal_of_ok_error
from app.upstreams.upstream import Upstream


def no_answer(upstream: Upstream, body: bytes, model: str = "") -> GatewayError:
    """The error that *body* is, or the one for what is neither answer nor error. *model*: the name the client asked
    with."""
    return refusal_of_ok_error(
        upstream=upstream.name,
        dialect=upstream.dialect.name,
        body=body,
        model=model,
        secrets=upstream.secrets(),
    )
