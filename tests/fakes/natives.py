"""A desk of native routes over upstreams, sockets, register and counters in memory."""

import asyncio
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from app.access.permissions import Permissions
from app.domain.configuration import LimitOptions
from app.domain.errors import GatewayError
from app.domain.outcome import Outcome
from app.domain.prices import Price
from app.domain.principal import Principal
from app.protocol.headers import HeaderList
from app.protocol.targets import read_target
from app.proxy.attempts import Attempts
from app.proxy.body_relay import BodyRelay
from app.proxy.call import Call
from app.proxy.dialing import Dialing
from app.proxy.model_rights import ModelRights
from app.proxy.native import NativeDesk
from app.proxy.native_relay import NativeRelay
from app.proxy.native_sockets import NativeSockets
from app.proxy.outcomes import outcome_of
from app.proxy.reply import Reply
from app.proxy.sound_billing import SoundBilling
from app.telemetry.metrics import Metrics
from app.upstreams.native_routes import native_paths
from app.upstreams.upstream import Upstream
from app.usage.price_book import PriceBook
from tests.fakes.billing import FakeJournal, billing_of
from tests.fakes.clients import FakeClient
from tests.fakes.exchanges import exchange_with
from tests.fakes.registers import memory_register
from tests.fakes.senders import FakeResponse, FakeSender
from tests.fakes.sockets import FakeSocket, socket_pair

MANAGER = Principal("ops", native=("manage",), key_id="key_ops")
OPENING: HeaderList = [
    (b"upgrade", b"websocket"),
    (b"connection", b"Upgrade"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
]


def client_of(call: Call) -> FakeClient:
    """The client of *call*, which is one of ours."""
    if not isinstance(call.client, FakeClient):
        raise TypeError("not one of `NativeOffice.call`'s")
    return call.client


def closed_with(socket: FakeSocket) -> tuple[int, str]:
    """The code and reason that *socket* was closed with."""
    if socket.closed_with is None:
        raise AssertionError("it is open")
    return socket.closed_with.code, socket.closed_with.reason


class FakeDialer:
    """Opens a socket in memory, whose far end is *far*; or raises *failure*. *dialled*: URLs and fields."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.near, self.far = socket_pair()
        self.dialled: list[tuple[str, HeaderList]] = []
        self.seconds: tuple[float, float | None] = (0.0, None)
        self._failure = failure

    async def dial(
        self,
        url: str,
        fields: HeaderList,
        *,
        name: str,
        connect_seconds: float,
        answer_seconds: float | None = None,
    ) -> FakeSocket:
        self.dialled.append((url, fields))
        self.seconds = (connect_seconds, answer_seconds)
        await asyncio.sleep(0)
        if self._failure is not None:
            raise self._failure
        return self.near


class HangingDialer(FakeDialer):
    """Never answers; *was_cancelled* once whoever waited gave up."""

    was_cancelled = False

    @override
    async def dial(self, url: str, fields: HeaderList, **_: Any) -> FakeSocket:
        self.dialled.append((url, fields))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        raise AssertionError("unreachable")


class NativeOffice:
    """What the desk stands on. Every upstream answers from the one *script*. Make it inside the event loop."""

    def __init__(
        self,
        *script: FakeResponse | Exception,
        upstreams: Mapping[str, Upstream],
        prices: Mapping[str, Price] | None = None,
        dialer: FakeDialer | None = None,
        options: LimitOptions | None = None,
    ) -> None:
        self.now = now = asyncio.get_running_loop().time
        self.upstreams = upstreams
        self.natives = {name: native_paths(one) for name, one in upstreams.items()}
        self.sender = FakeSender(*script)
        self.dialer = dialer or FakeDialer()
        self.journal = FakeJournal()
        self.metrics = Metrics("1")
        self.register = memory_register(now)
        options = options or LimitOptions()
        self.billing = billing_of(
            now, journal=self.journal, prices=prices, upstreams=upstreams, options=options
        )
        sound = SoundBilling(self.billing, PriceBook(prices or {}), options)
        senders = dict.fromkeys(upstreams, self.sender)
        attempts = Attempts(upstreams, senders, self.billing, self.metrics, now)
        dialing = Dialing(self.dialer, self.billing, self.metrics, now)
        self.desk = NativeDesk(
            upstreams,
            NativeRelay(attempts, BodyRelay(now), now, max_upload_bytes=8 * 1024 * 1024),
            NativeSockets(dialing, self.billing, sound, now),
            rights=ModelRights(Permissions(upstreams), self.register),
            register=self.register,
            billing=self.billing,
            sound=sound,
        )

    def call(
        self,
        line: str,
        principal: Principal = MANAGER,
        *,
        headers: HeaderList | None = None,
        **client: Any,
    ) -> Call:
        """*line*: method and target. Raises where the pipeline would find no native route."""
        method, _, target = line.partition(" ")
        path, _, query = target.partition("?")
        caller = FakeClient(method, path, query=query, headers=headers, **client)
        meant = read_target(path, self.upstreams, self.natives)
        exchange = exchange_with("req_1", method, "native", self.now(), caller=principal)
        exchange.at_ms = 1
        reply = Reply(caller, exchange, self.now, self.billing)
        return Call(caller, meant, meant.pin, principal, exchange, reply)

    async def serve(self, call: Call) -> GatewayError | None:
        """As the pipeline does it; the error that ended it."""
        exchange, error = call.exchange, None
        try:
            await self.desk.serve(call)
            exchange.outcome = exchange.outcome or Outcome.COMPLETE
        except GatewayError as raised:
            error = raised
            exchange.outcome = exchange.outcome or outcome_of(
                raised, was_asked=exchange.attempts > 0
            )
            if exchange.status != 101 and not call.client.is_gone:
                call.reply.failure(raised)
        finally:
            self.billing.book(exchange)
            self.billing.release(exchange)
        return error

    async def served(self, line: str, principal: Principal = MANAGER, **client: Any) -> FakeClient:
        """What the client of *line* got."""
        call = self.call(line, principal, **client)
        await self.serve(call)
        return client_of(call)
