"""
One websocket of a simulator, without I/O: bytes in, the steps that answer them out.

The words of X20, X22, X24 count messages here: `cut=3` is FIN behind the third. Nothing is read
while a step waits, so `gap` and `ttft` make a peer that is slow to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from websockets.frames import Close as CloseFrame
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import State
from websockets.server import ServerProtocol

from app.simulators.control import Script
from app.simulators.faults import HangUp, Hold, Pause, Reset, Send, Step
from app.simulators.http_reader import Request
from app.simulators.recording import SeenSocket
from app.simulators.session import Close, Say, Session
from app.simulators.shaping import BROKEN_JSON

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
FAILURE = '{"type":"error","message":"simulated failure"}'
_BREAKS: tuple[tuple[str, Step], ...] = (("reset", Reset()), ("cut", HangUp()), ("stall", Hold()))


class SocketTalk:
    """Speaks RFC 6455 for one session."""

    def __init__(self, session: Session, script: Script, seen: SeenSocket) -> None:
        """Begin before the handshake; what goes over the socket is counted in *seen*."""
        self._session = session
        self._script = script
        self._seen = seen
        self._protocol = ServerProtocol(max_size=MAX_MESSAGE_BYTES)
        self._fragments: list[bytes] = []
        self._is_text = False
        self._is_over = False

    def open(self, request: Request, headers: Sequence[tuple[str, str]]) -> Iterator[Step]:
        """The steps that answer the handshake: 101 and what is said first, or a refusal."""
        self._protocol.receive_data(_head_of(request))
        for event in self._protocol.events_received():
            if isinstance(event, Handshake):
                response = self._protocol.accept(event)
                for name, value in headers:
                    response.headers[name] = value
                self._protocol.send_response(response)
        yield from self._written()
        if self._has_ended():
            return
        if "ttft" in self._script:
            yield Pause(self._script.seconds("ttft"))
        yield from self._say(self._session.greet())

    def take(self, data: bytes, at_seconds: float) -> Iterator[Step]:
        """The steps that answer what came."""
        if self._is_over:
            return
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                yield from self._take_frame(event, at_seconds)
            if self._has_ended():
                return
        yield from self._written()

    def peer_left(self) -> None:
        """The peer is gone without a closing handshake."""
        if self._seen.close_code is None:
            self._seen.close_code = 1006

    def _has_ended(self) -> bool:
        return self._is_over

    def _take_frame(self, frame: Frame, at_seconds: float) -> Iterator[Step]:
        if frame.opcode is Opcode.CLOSE:
            yield from self._take_close(frame)
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            if frame.opcode is not Opcode.CONT:
                self._is_text = frame.opcode is Opcode.TEXT
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                yield from self._hear(at_seconds)

    def _hear(self, at_seconds: float) -> Iterator[Step]:
        message = b"".join(self._fragments)
        self._fragments.clear()
        self._seen.messages_in += 1
        self._seen.bytes_in += len(message)
        text = message.decode("utf-8", "replace") if self._is_text else message
        said: Sequence[Say] = self._session.hear(text, at_seconds)
        code = self._script.number("close")
        if code is not None:  # a refusal that comes once the socket stands
            reason = "Quota exceeded" if "quota" in self._script else "Policy violation"
            said = [Close(code, reason)]
        yield from self._say(said)

    def _take_close(self, frame: Frame) -> Iterator[Step]:
        """What is left to say goes before the answer to the close, which the protocol holds."""
        was_asked = self._protocol.close_rcvd_then_sent
        close = self._protocol.close_rcvd or CloseFrame.parse(frame.data)
        self._seen.close_code, self._seen.close_reason = int(close.code), close.reason
        if was_asked:
            yield from self._say(self._session.farewell())
        if not self._has_ended():
            yield from self._written()

    def _say(self, said: Iterable[Say]) -> Iterator[Step]:
        for one in said:
            if isinstance(one, Close):
                if self._protocol.state is State.OPEN:
                    self._protocol.send_close(one.code, one.reason)
                yield from self._written()
                return
            yield from self._send(one)
            if self._has_ended():
                return

    def _send(self, text: str) -> Iterator[Step]:
        before = self._seen.messages_out
        if before and "gap" in self._script:
            yield Pause(self._script.seconds("gap"))
        if self._script.number("badjson") == before + 1:
            text = BROKEN_JSON
        if "inerror" in self._script and before >= (self._script.number("inerror") or 0):
            text = FAILURE
        self._seen.messages_out += 1
        yield Send(Frame(Opcode.TEXT, text.encode("utf-8")).serialize(mask=False), events=1)
        yield from self._break_after(before + 1)

    def _break_after(self, sent: int) -> Iterator[Step]:
        for word, step in _BREAKS:
            number = self._script.number(word)
            if number is not None and sent >= number:
                self._is_over = True
                yield step
                return
        last = self._script.number("eof")
        if last is not None and sent >= last and self._protocol.state is State.OPEN:
            self._protocol.send_close(1000)
            yield from self._written()

    def _written(self) -> Iterator[Step]:
        """What the protocol itself has to send; its end of file is ours."""
        for data in self._protocol.data_to_send():
            if data:
                yield Send(data)
            else:
                self._is_over = True
                self.peer_left()  # unless it said goodbye
                yield HangUp()


def _head_of(request: Request) -> bytes:
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
