"""How often one address may come with a wrong key (reliability S10): guessing gets slow, right keys stay quick."""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

_A_MINUTE = 60
_INTERVAL_SECONDS = 60.0 / _A_MINUTE
_TOLERANCE_SECONDS = 60.0 - _INTERVAL_SECONDS  # of GCRA: a burst of a minute's worth
_MOST_ADDRESSES = 4096
_NETWORK_BITS = 64  # one household or server has a whole /64


class WrongKeys:
    """Counts failures alone, of 4096 addresses at most; the one that first failed longest ago is forgotten first.

    *now*: seconds on a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._due: dict[str, float] = {}  # GCRA: when the address would have failed, were it even

    def __len__(self) -> int:
        return len(self._due)

    def failed(self, address: str) -> float | None:
        """Takes note of a wrong key from *address*; seconds to wait where there were too many, else None."""
        now, place = self._now(), _place(address)
        due = max(self._due.get(place, now), now)
        wait = due - now - _TOLERANCE_SECONDS
        if wait > 0:
            return wait
        if place not in self._due and len(self._due) >= _MOST_ADDRESSES:
            del self._due[next(iter(self._due))]
        self._due[place] = due + _INTERVAL_SECONDS
        return None


def _place(address: str) -> str:
    """What stands for *address*: of IPv6 its network, since whoever has one address there has them all."""
    if ":" not in address:
        return address
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return f"{int(ip) >> (128 - _NETWORK_BITS):x}::"
