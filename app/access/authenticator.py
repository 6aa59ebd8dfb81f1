"""
A request's key → the Principal that holds it, from memory (contract B1 to B4, F15, F16; reliability S9, S12).

Keys are kept as HMAC digests under a pepper that lives as long as the process: a dump of memory's tables
holds no key, and a look-up takes the same time for a known and an unknown one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.access.key_digest import KeyDigest
from app.domain.addresses import is_loopback
from app.domain.configuration import KeyEntry
from app.domain.errors import PermissionDenied, Unauthenticated
from app.domain.principal import Principal
from app.protocol.headers import HeaderList, client_key, header

_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header "
    "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
)
_WRONG_KEY = (
    "Incorrect API key provided: {masked}. Ask whoever runs this gateway for a key of its own."
)
_FOREIGN_PAGE = (
    "You have insufficient permissions for this operation. The gateway runs without keys, so it does not "
    "answer other web sites; add the page's origin to server.cors_origins to allow it."
)
# What a browser says of our own page, and of an address typed in.
_OWN_SITE = ("same-origin", "none")
_SHOWN_FROM = 16  # a shorter key is masked whole


@dataclass(frozen=True, slots=True)
class _Holder:
    principal: Principal
    expires_at: float | None


class Authenticator:
    """Knows every key. *now_seconds* is wall time, for keys that expire."""

    def __init__(
        self, keys: Iterable[KeyEntry], *, pepper: bytes, now_seconds: Callable[[], float]
    ) -> None:
        self._digest = KeyDigest(pepper)
        self._now_seconds = now_seconds
        self._holders = {
            self._digest(entry.key.get_secret_value()): _Holder(
                Principal(entry.name, entry.models, entry.resources), entry.expires_at
            )
            for entry in keys
        }

    def authenticate(self, headers: HeaderList) -> Principal:
        """The caller. Raises Unauthenticated for a missing, unknown or expired key (contract B3)."""
        key = client_key(headers)
        if not key:
            raise Unauthenticated(_NO_KEY)
        holder = self._holders.get(self._digest(key))
        if holder is None or (
            holder.expires_at is not None and holder.expires_at <= self._now_seconds()
        ):
            raise Unauthenticated(_WRONG_KEY.format(masked=_masked(key)))
        return holder.principal


class OpenDoor:
    """`auth.mode: none`: everybody is the same principal, but for web pages of other sites (architecture 5)."""

    def __init__(self, allowed_origins: tuple[str, ...]) -> None:
        self._allowed_origins = allowed_origins
        self._principal = Principal("anyone")

    def authenticate(self, headers: HeaderList) -> Principal:
        """The one principal there is. Raises PermissionDenied for a page that would spend a person's money."""
        origin, site = header(headers, b"origin"), header(headers, b"sec-fetch-site")
        is_foreign = site == "cross-site" or (origin is not None and site not in _OWN_SITE)
        # A name that was made to resolve to this machine makes a foreign page look like our own.
        is_rebound = not is_loopback(_host_name(header(headers, b"host") or "localhost"))
        if (is_foreign and origin not in self._allowed_origins) or is_rebound:
            raise PermissionDenied(_FOREIGN_PAGE)
        return self._principal


def _host_name(host: str) -> str:
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _masked(key: str) -> str:
    shown = "".join(letter if letter.isprintable() else "?" for letter in key)
    return f"{shown[:5]}****{shown[-4:]}" if len(shown) >= _SHOWN_FROM else "****"
