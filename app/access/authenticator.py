"""
A request's key → the Principal that holds it, from memory (contract B1 to B4, F15, F16; reliability S9, S12).

Nothing is asked of a database, whatever the key: a wrong one costs a digest and a look-up, as a right one does (S10).
"""

from collections.abc import Callable
from math import ceil
from typing import Final

from app.access.key_format import is_mistyped
from app.access.key_ring import KeyRing
from app.access.wrong_keys import WrongKeys
from app.domain.addresses import is_loopback
from app.domain.errors import ClientError, PermissionDenied, RateLimited, Unauthenticated
from app.domain.principal import Principal
from app.protocol.headers import HeaderList, client_key, header

_NO_KEY: Final = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header "
    "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
)
_WRONG_KEY: Final = (
    "Incorrect API key provided: {masked}. Ask whoever runs this gateway for a key of its own."
)
_MISTYPED_KEY: Final = (
    "Incorrect API key provided: {masked}. "
    "It is mistyped or cut: its last letters do not fit the others."
)
_TOO_MANY_WRONG: Final = (
    "Too many requests with a wrong API key came from your address. Check the key, then try again in "
    "{seconds}s; requests with a right key go on."
)
_FOREIGN_PAGE: Final = (
    "You have insufficient permissions for this operation. The gateway runs without keys, so it does not "
    "answer other web sites; add the page's origin to server.cors_origins to allow it."
)
# What a browser says of our own page, and of an address typed in.
_OWN_SITE: Final = ("same-origin", "none")
_SHOWN_FROM: Final = 16  # a shorter key is masked whole


class Authenticator:
    """Asks *ring*. *now_seconds* is wall time, for keys that expire; *now* a clock that never goes back, for addresses
    that come with wrong keys."""

    def __init__(
        self, ring: KeyRing, *, now_seconds: Callable[[], float], now: Callable[[], float]
    ) -> None:
        self._find = ring.find
        self._now_seconds = now_seconds
        self._wrong_keys = WrongKeys(now)

    def authenticate(self, headers: HeaderList, address: str = "") -> Principal:
        """The caller. Raises Unauthenticated for a missing, unknown, revoked or expired key (contract B3), and
        RateLimited for one of those from an *address* that sent too many (S10)."""
        key = client_key(headers)
        if not key:
            raise Unauthenticated(_NO_KEY)
        holder = self._find(key)
        if holder is None or (
            holder.expires_at is not None and holder.expires_at <= self._now_seconds()
        ):
            raise self._refusal(key, address)
        return holder.principal

    def _refusal(self, key: str, address: str) -> ClientError:
        wait_seconds = self._wrong_keys.failed(address)
        if wait_seconds is None:
            wording = _MISTYPED_KEY if is_mistyped(key) else _WRONG_KEY
            return Unauthenticated(wording.format(masked=_masked(key)))
        return RateLimited(
            _TOO_MANY_WRONG.format(seconds=ceil(wait_seconds)),
            type="requests",
            scope="address",
            limit="wrong_keys",
            retry_after_seconds=wait_seconds,
        )


class OpenDoor:
    """`auth.mode: none`: everybody is the same principal, but for web pages of other sites (architecture 5)."""

    def __init__(self, allowed_origins: tuple[str, ...]) -> None:
        self._allowed_origins = allowed_origins
        self._principal = Principal("anyone")

    def authenticate(self, headers: HeaderList, address: str = "") -> Principal:
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
