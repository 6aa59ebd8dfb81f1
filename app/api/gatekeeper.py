"""Who may see metrics and documentation (reliability S27, architecture 5): anyone on a loopback
address, else who has a token.
"""

import hmac
from dataclasses import dataclass

from pydantic import SecretStr

from app.domain.errors import Unauthenticated

_WANTED = "This page needs a bearer token. Ask whoever runs this gateway."


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """*is_open*: the gateway listens on a loopback address only."""

    is_open: bool
    metrics_token: SecretStr | None
    admin_key: SecretStr | None

    def check_metrics(self, authorization: str) -> None:
        """Raises Unauthenticated unless open, or the bearer token is the metrics token or the admin key."""
        self._check(authorization, (self.metrics_token, self.admin_key))

    def check_documentation(self, authorization: str) -> None:
        """Raises Unauthenticated unless open, or the bearer token is the admin key."""
        self._check(authorization, (self.admin_key,))

    def _check(self, authorization: str, secrets: tuple[SecretStr | None, ...]) -> None:
        if self.is_open:
            return
        scheme, _, given = authorization.strip().partition(" ")
        token = given.strip().encode() if scheme.lower() == "bearer" else b""
        known = [secret.get_secret_value().encode() for secret in secrets if secret is not None]
        if not token or not any(hmac.compare_digest(token, secret) for secret in known):
            raise Unauthenticated(_WANTED)
