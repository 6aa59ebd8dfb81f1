"""
What an exchange reserves, and what it is charged: everything about money between the key and the last byte (reliability
J1 to J5, J11 to J14).

`admit` reserves, or refuses and has consumed nothing (law 4). `attempt` writes the intent before an upstream is asked,
`progress` how far it has come, `book` the record before the last byte leaves, and `release` gives back what was
reserved behind it (law 3). Nothing but `admit` waits; what is booked is booked once.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal, Protocol

import msgspec

from app.domain.configuration import LimitOptions
from app.domain.errors import InvalidRequest, QuotaExceeded
from app.domain.exchange import Exchange
from app.domain.ledger import Intent, Progress, UsageRecord
from app.domain.limits import LOOK, Ask, Scope, Spent
from app.domain.outcome import Outcome
from app.domain.prices import Price
from app.domain.principal import Principal
from app.domain.routes import Deployment, Route
from app.domain.texts import shown
from app.domain.usage import Usage
from app.limits.admission import Admission, Reservation
from app.limits.estimates import estimate_input
from app.protocol.requests import ChatRequest
from app.upstreams.chat_targets import chat_target
from app.upstreams.upstream import Upstream
from app.usage.price_book import PriceBook

# Of one exchange: an upstream that counts more lies, and no database could add it up.
_MOST_TOKENS: Final = 10**9
_CHARACTERS_PER_TOKEN: Final = 4  # of output that nobody counted
_LONGEST_CODE: Final = 64
_COMPLETE: Final = Outcome.COMPLETE  # here, since a member of an enum is slow to look up
_REJECTED: Final = Outcome.REJECTED
# Ends at which an upstream may have worked on an answer that did not come, or not whole.
_MAY_HAVE_WORKED: Final = frozenset(
    (Outcome.CLIENT_GONE, Outcome.TIMEOUT, Outcome.UPSTREAM_CUT, Outcome.SHUTDOWN)
)
_NOTHING: Final = Usage(0, 0)
_ONE_REQUEST: Final = Ask(1, 0, 0, 1)
_ENCODE: Final = msgspec.json.Encoder().encode


class Journal(Protocol):
    """Where notes go that survive the process."""

    def intend(self, intent: Intent) -> None:
        """*intent* is kept. Raises LedgerUnavailable where it must be and cannot."""
        ...

    def progress(self, progress: Progress) -> None:
        """*progress* is kept."""
        ...

    def settle(self, record: UsageRecord) -> None:
        """*record* is kept."""
        ...

    def durable(self) -> Awaitable[None] | None:
        """Done once all of it would survive a power cut; None where nobody waits for that."""
        ...


class Billing:
    """Charges exchanges. *journal* None: nothing is kept. *now*: the clock of an exchange's times; *lease_seconds*:
    how long a reservation lasts at most."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        admission: Admission,
        prices: PriceBook,
        journal: Journal | None,
        options: LimitOptions,
        *,
        now: Callable[[], float],
        lease_seconds: float,
    ) -> None:
        self._upstreams = upstreams
        self._admission = admission
        self._prices = prices
        self._journal = journal
        self._options = options
        self._media_tokens = options.assumed_media_tokens
        self._now = now
        self._lease_ms = int(lease_seconds * 1000)

    # --- before ---------------------------------------------------------------------------------------------------

    def admit_chat(
        self, principal: Principal, chat: ChatRequest, route: Route, exchange: Exchange
    ) -> Awaitable[None] | None:
        """*exchange* may go on, with the most that it should come to reserved: at once, or when what is returned has
        been awaited.

        Raises RateLimited, QuotaExceeded, and InvalidRequest for more output than the key may ask for.
        """
        output = self._output_tokens(principal, chat) * max(chat.choices, 1)
        tokens = estimate_input(chat.body, assumed_media_tokens=self._media_tokens)
        exchange.expected = expected = Usage(tokens, output)
        cost_nano = 0
        for scope in principal.scopes:
            if scope.limits.budget_nano is not None:
                cost_nano = self._cost(scope, route, exchange.provider or None, expected)
                break
        reservation = self._admission.admit(
            principal,
            Ask(1, tokens + output, cost_nano, 1),
            chat.model,
            exchange.request_id,
            exchange.at_ms,
        )
        if not isinstance(reservation, Reservation):
            return _held(exchange, reservation)
        _hold(exchange, reservation)
        return None

    async def admit(
        self, principal: Principal, exchange: Exchange, ask: Ask = _ONE_REQUEST
    ) -> None:
        """The same for one request that uses no tokens. Raises RateLimited."""
        model, request_id = exchange.model_requested, exchange.request_id
        reservation = self._admission.admit(principal, ask, model, request_id, exchange.at_ms)
        if not isinstance(reservation, Reservation):
            reservation = await reservation
        _hold(exchange, reservation)

    async def look(self, principal: Principal, exchange: Exchange) -> None:
        """The reply of *exchange* will say where its key's limits stand; nothing is taken."""
        await self.admit(principal, exchange, LOOK)

    def _output_tokens(self, principal: Principal, chat: ChatRequest) -> int:
        """The most that one choice may come to. Raises InvalidRequest (contract F28)."""
        asked, bound = chat.max_tokens, principal.max_tokens
        if bound is not None:
            if asked is None:
                return bound
            if not 0 <= asked <= bound:
                raise InvalidRequest(
                    "Unsupported value: 'max_tokens' must be a number from 0 to "
                    f"{bound}, which is the most that the key '{principal.name}' may ask for.",
                    code="unsupported_value",
                    param="max_tokens",
                )
        if asked is None or asked < 0:
            return self._options.assumed_output_tokens
        return asked

    def _cost(self, scope: Scope, route: Route, provider: str | None, expected: Usage) -> int:
        """The most that any deployment of *route* would take from the budget of *scope*; *provider*: the one that the
        path names. Raises QuotaExceeded for one without a price where the configuration refuses that (J12)."""
        most = 0
        for deployment in route.deployments:
            price = self._price_of(deployment, provider)
            if price is not None:
                most = max(most, price.cost_nano(expected))
            elif self._options.unpriced == "refuse":
                raise QuotaExceeded(
                    f"The model `{shown(deployment.model)}` has no price, and {scope.kind} {scope.name} has a budget "
                    "in USD. Ask whoever runs this gateway to add its price.",
                    scope=scope.kind,
                    limit="unpriced",
                )
        return most

    def _price_of(self, deployment: Deployment, provider: str | None) -> Price | None:
        upstream = self._upstreams[deployment.upstream]
        if not upstream.dialect.path_providers:
            return self._prices.price(upstream.name, deployment.model)
        target = chat_target(upstream, deployment.model, provider)
        if target is None:
            return None  # no provider claims it, and none will be asked
        return self._prices.price(upstream.name, target.model, target.provider)

    # --- while it runs --------------------------------------------------------------------------------------------

    def attempt(self, exchange: Exchange) -> None:
        """An upstream is about to be asked, and its price is known from now on. Raises LedgerUnavailable."""
        upstream, model = exchange.upstream, exchange.model
        exchange.price = price = self._prices.price(upstream, model, exchange.provider)
        if self._journal is None:
            return
        if exchange.is_intended:
            self.progress(exchange)
            return
        caller, expected = exchange.caller, exchange.expected or _NOTHING
        cost_nano = 0
        if price is not None:
            cost_nano = price.cost_nano(
                Usage(expected.input_tokens, 0), exchange.characters, exchange.audio_ms
            )
        asked = shown(exchange.model_requested)
        self._journal.intend(
            Intent(
                exchange.request_id,
                exchange.at_ms,
                caller.key_id if caller else "",
                caller.team_id if caller else "",
                exchange.endpoint,
                asked,
                exchange.stream,
                expected.input_tokens,
                expected.output_tokens,
                cost_nano,
                exchange.at_ms + self._lease_ms,
                upstream,
                asked if model == exchange.model_requested else shown(model),
                exchange.label,
                price is not None,
            )
        )
        exchange.is_intended = True

    def progress(self, exchange: Exchange) -> None:
        """What *exchange* would be charged if the gateway died now is kept (J4)."""
        if self._journal is None or exchange.is_booked or not exchange.is_intended:
            return
        usage, source = _so_far(exchange)
        price = exchange.price
        self._journal.progress(
            Progress(
                exchange.request_id,
                exchange.upstream,
                shown(exchange.model),
                exchange.attempts,
                usage.input_tokens,
                usage.cached_input_tokens,
                usage.output_tokens,
                source,
                price.cost_nano(usage, exchange.characters, exchange.audio_ms) if price else 0,
                price is not None,
            )
        )

    # --- the end --------------------------------------------------------------------------------------------------

    def book(self, exchange: Exchange) -> Awaitable[None] | None:
        """*exchange* is charged, and its record stands in the journal. Call it before the last byte leaves; further
        calls change nothing. What is returned, if anything, is to be awaited before that byte (J3, J5)."""
        if exchange.is_booked:
            return None
        exchange.is_booked = True
        if exchange.outcome is None:
            exchange.outcome = _COMPLETE
        if exchange.sent_at is not None:
            self._charge(exchange)
        else:
            exchange.is_priced = True  # nothing was used (J14)
        if self._journal is None or not exchange.is_intended:
            return None
        self._journal.settle(self._record(exchange))
        return self._journal.durable()

    def release(self, exchange: Exchange) -> None:
        """What was reserved for *exchange* is free, less what it spent."""
        reservation = exchange.reservation
        if reservation is None:
            return
        exchange.reservation = None
        usage = exchange.usage
        was_asked = exchange.sent_at is not None and exchange.outcome is not _REJECTED
        tokens = usage.input_tokens + usage.output_tokens if usage is not None else 0
        reservation.settle(Spent(1 if was_asked else 0, tokens, exchange.cost_nano))

    def _charge(self, exchange: Exchange) -> None:
        if exchange.usage is not None:
            exchange.usage = _credible(exchange.usage)
            exchange.usage_source = "upstream"
        else:
            output = exchange.output
            has_sent = output is not None and (output.usage or output.output_characters)
            may_charge = has_sent or exchange.outcome in _MAY_HAVE_WORKED
            if exchange.expected is None or not (may_charge or exchange.outcome is _COMPLETE):
                exchange.is_priced = True  # nothing was used, so nothing lacks a price (J14)
                return
            exchange.usage, exchange.usage_source = _so_far(exchange)
        price = exchange.price
        exchange.is_priced = price is not None
        if price is not None:
            exchange.cost_nano = price.cost_nano(
                exchange.usage, exchange.characters, exchange.audio_ms
            )

    def _record(self, exchange: Exchange) -> UsageRecord:
        caller, usage = exchange.caller, exchange.usage or _NOTHING
        received_at, first_at = exchange.received_at, exchange.first_byte_at
        sent_at, answered_at = exchange.sent_at, exchange.upstream_first_at
        asked, model = shown(exchange.model_requested), exchange.model
        return UsageRecord(
            exchange.request_id,
            exchange.at_ms,
            caller.key_id if caller else "",
            caller.team_id if caller else "",
            exchange.endpoint,
            asked,
            exchange.upstream,
            asked if model == exchange.model_requested else shown(model),
            exchange.stream,
            exchange.status,
            str(exchange.outcome),
            exchange.phase,
            shown(exchange.error_code, _LONGEST_CODE) if exchange.error_code else "",
            exchange.attempts,
            usage.input_tokens,
            usage.cached_input_tokens,
            usage.output_tokens,
            exchange.usage_source,
            exchange.cost_nano,
            exchange.is_priced,
            int((self._now() - received_at) * 1e6),
            None if first_at is None else int((first_at - received_at) * 1e6),
            None if sent_at is None else int((sent_at - received_at) * 1e6),
            None if answered_at is None else int((answered_at - received_at) * 1e6),
            _ENCODE(exchange.trail).decode() if exchange.trail else "",
            False,
            exchange.label,
        )


def _hold(exchange: Exchange, reservation: Reservation) -> None:
    exchange.reservation = reservation
    exchange.rate = reservation.headers


async def _held(exchange: Exchange, reservation: Awaitable[Reservation]) -> None:
    _hold(exchange, await reservation)


def _credible(usage: Usage) -> Usage:
    if usage.input_tokens <= _MOST_TOKENS and usage.output_tokens <= _MOST_TOKENS:
        return usage
    return Usage(
        min(usage.input_tokens, _MOST_TOKENS),
        min(usage.output_tokens, _MOST_TOKENS),
        min(usage.cached_input_tokens, _MOST_TOKENS),
    )


def _so_far(exchange: Exchange) -> tuple[Usage, Literal["upstream", "estimated"]]:
    """What has been used: as the upstream counted it, else estimated from what was asked and sent. What came behind a
    count is added to it, as an estimate."""
    if exchange.usage is not None:
        return _credible(exchange.usage), "upstream"
    output = exchange.output
    characters = output.output_characters if output is not None else 0
    if output is not None and output.usage is not None:
        counted, uncounted = _credible(output.usage), characters - output.counted_characters
        if uncounted <= 0:
            return counted, "upstream"
        added = -(-uncounted // _CHARACTERS_PER_TOKEN)
        output_tokens = counted.output_tokens + added
        return Usage(counted.input_tokens, output_tokens, counted.cached_input_tokens), "estimated"
    asked = exchange.expected.input_tokens if exchange.expected is not None else 0
    return Usage(asked, -(-characters // _CHARACTERS_PER_TOKEN)), "estimated"
