"""Who may see metrics and documentation (reliability S27, architecture 5): anyone on a loopback
address, else who has a token.
"""

from dataclasses import dataclass

from pydantic import SecretStr

from app.api.admin_door import bearer_token, is_secret
from app.domain.errors import Unauthenticated

_WANTED = "This page needs a bearer token. Ask whoever runs this gateway."


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """*is_open*: the gateway listens on a loopback address only. Both pages are for reading, so a viewer may too."""

    is_open: bool
    metrics_token: SecretStr | None
    admin_key: SecretStr | None
    viewer_key: SecretStr | None = None

    def check_metrics(self, authorization: str) -> None:
        """Raises Unauthenticated unless open, or the bearer token is the metrics token, the admin's or viewer's key."""
        self._check(authorization, (self.metrics_token, self.admin_key, self.viewer_key))

    def check_documentation(self, authorization: str) -> None:
        """Raises Unauthenticated unless open, or the bearer token is the admin's or viewer's key."""
        self._check(authorization, (self.admin_key, self.viewer_key))

    def _check(self, authorization: str, secrets: tuple[SecretStr | None, ...]) -> None:
        if self.is_open:
            return
        token = bearer_token(authorization)
        is_right = [is_secret(token, secret) for secret in secrets]  # each is compared
        if not any(is_right):
            raise Unauthenticated(_WANTED)
