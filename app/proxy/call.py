"""One request inside the pipeline: who asks, for what, and where the answer goes."""

from functools import lru_cache

from app.domain.exchange import Exchange
from app.domain.principal import Principal
from app.protocol.targets import Target
from app.proxy.client_connection import ClientConnection
from app.proxy.reply import Reply
from app.routing.table import Operation


class Call:
    """What a step of the pipeline may need. *pin*: the upstream that the URL or a header fixed, else None."""

    __slots__ = ("client", "exchange", "pin", "principal", "reply", "target")

    def __init__(
        self,
        client: ClientConnection,
        target: Target,
        pin: str | None,
        principal: Principal,
        exchange: Exchange,
        reply: Reply,
    ) -> None:
        self.client = client
        self.target = target
        self.pin = pin
        self.principal = principal
        self.exchange = exchange
        self.reply = reply

    @property
    def operation(self) -> Operation:
        """What is asked for, in the words of an error message: always below `/v1`, whatever the path looked like."""
        template = self.target.endpoint.template if self.target.endpoint else ""
        return _operation(self.exchange.endpoint, self.client.method, template)


@lru_cache(maxsize=256)  # capabilities, methods and templates are the endpoint table's: a few dozen
def _operation(capability: str, method: str, template: str) -> Operation:
    path = template.replace("...}", "}")
    return Operation(capability, f"{method} /v1/{path}")
