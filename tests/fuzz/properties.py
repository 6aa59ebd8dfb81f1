"""
What must hold for any bytes a peer may send, in any reads: one function for each place that reads them.

Each takes one fuzz input and raises AssertionError when it breaks the promise; any other exception breaks it too. The
engine, the kept crashers and hypothesis all come through here.
"""

from collections.abc import Callable

from tests.fuzz.event_streams import chat_stream, events
from tests.fuzz.forms import form
from tests.fuzz.responses import response

PROPERTIES: dict[str, Callable[[bytes], None]] = {
    "events": events,
    "chat_stream": chat_stream,
    "response": response,
    "form": form,
}
