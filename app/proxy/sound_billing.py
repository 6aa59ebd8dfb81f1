"""
What speech and transcription reserve (upstreams A7, A13; reliability J11, J12): the text's characters and the sound's
seconds are known before anybody is asked, so what is reserved is what it will come to.

The charge itself is `billing`'s: a price has one sum for tokens, characters and seconds.
"""

from collections.abc import Iterable
from typing import NamedTuple

from app.domain.configuration import LimitOptions
from app.domain.errors import QuotaExceeded
from app.domain.exchange import Exchange
from app.domain.limits import Ask, Scope
from app.domain.principal import Principal
from app.domain.texts import shown
from app.domain.usage import Usage
from app.proxy.billing import Billing
from app.usage.price_book import PriceBook

NO_TOKENS = Usage(0, 0)


class Asked(NamedTuple):
    """What may be asked of one deployment: *model* as it goes upstream, which is what a price is looked up by."""

    upstream: str
    model: str


class SoundBilling:
    """Admits exchanges that are metered by characters, by seconds, or by the request alone."""

    def __init__(self, billing: Billing, prices: PriceBook, options: LimitOptions) -> None:
        self._billing = billing
        self._prices = prices
        self._options = options

    async def admit(
        self,
        principal: Principal,
        exchange: Exchange,
        asked: Iterable[Asked],
        *,
        characters: int = 0,
        audio_ms: int = 0,
    ) -> None:
        """*exchange* may go on: one request, no tokens, and the most that any of *asked* would cost is reserved.

        Raises RateLimited and QuotaExceeded, having consumed nothing (law 4).
        """
        cost_nano = 0
        for scope in principal.scopes:
            if scope.limits.budget_nano is not None:
                cost_nano = max(self._cost(scope, one, characters, audio_ms) for one in asked)
                break
        await self._billing.admit(principal, exchange, Ask(1, 0, cost_nano, 1))
        exchange.expected = NO_TOKENS
        exchange.characters = characters

    def went_on(self, exchange: Exchange) -> None:
        """What *exchange* would be charged if the gateway died now is kept (J4)."""
        self._billing.progress(exchange)

    def _cost(self, scope: Scope, one: Asked, characters: int, audio_ms: int) -> int:
        price = self._prices.price(one.upstream, one.model)
        if price is not None:
            return price.cost_nano(NO_TOKENS, characters, audio_ms)
        if self._options.unpriced == "refuse":
            raise QuotaExceeded(
                f"The model `{shown(one.model)}` has no price, and {scope.kind} {scope.name} has a budget in USD. "
                "Ask whoever runs this gateway to add its price.",
                scope=scope.kind,
                limit="unpriced",
            )
        return 0
