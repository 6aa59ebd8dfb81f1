"""
What each deployment costs, by name: `upstream/model` exactly, else the first pattern that fits (reliability J12).

Names come from clients, so what is remembered of them is bounded in count and length.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

from app.domain.prices import Price

_MOST_NAMES: Final = 1024
_LONGEST_NAME: Final = 512  # characters; a longer one is looked up each time

_UNKNOWN: Final = Price(-1)  # no price that anybody has

PriceRows = tuple[tuple[str, Price], ...]


class PriceBook:
    """The configured prices. They do not change while it lives."""

    def __init__(self, prices: Mapping[str, Price]) -> None:
        """*prices*: by `upstream/model`, which may be a pattern; patterns are tried in their order."""
        self._prices = dict(prices)
        self._patterns = [row for row in prices.items() if any(sign in row[0] for sign in "*?[")]
        self._found: dict[tuple[str, str, str], Price | None] = {}

    def price(self, upstream: str, model: str, provider: str = "") -> Price | None:
        """What *model*, as *upstream* names it, costs; None when nobody has said (J12). *provider*: which of the
        upstream's own serves it; a price for `upstream/provider/model` goes before one for `upstream/model`."""
        key = (upstream, model, provider)
        price = self._found.get(key, _UNKNOWN)
        if price is not _UNKNOWN:
            return price
        price = self._named(f"{upstream}/{provider}/{model}") if provider else None
        if price is None:
            price = self._named(f"{upstream}/{model}")
        if sum(map(len, key)) <= _LONGEST_NAME:
            if len(self._found) >= _MOST_NAMES:
                self._found.clear()
            self._found[key] = price
        return price

    def rows(self) -> PriceRows:
        """Each name or pattern with its price, in the operator's order."""
        return tuple(self._prices.items())

    def _named(self, name: str) -> Price | None:
        exact = self._prices.get(name)
        if exact is not None:
            return exact
        fitting = (price for pattern, price in self._patterns if fnmatchcase(name, pattern))
        return next(fitting, None)
