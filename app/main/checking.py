"""
`mindgate check`: is the configuration right, and do the upstreams answer?

Each upstream is asked what costs nothing: its model list; where there is none, an impossible model name,
whose refusal tells what is served (upstreams O-P3).
"""

import asyncio
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from app.domain.configuration import Configuration
from app.domain.errors import GatewayError, ModelNotFound, UpstreamRefusedCredential
from app.main.gateway import prepared_upstreams
from app.main.senders import make_sender
from app.protocol.requests import read_chat_request
from app.proxy.capabilities import native_classes
from app.upstreams.bodies import read_whole
from app.upstreams.capabilities import MATRIX, SERVED
from app.upstreams.chat_request import ChatOptions, prepare_chat
from app.upstreams.client import Sender
from app.upstreams.model_requests import discover
from app.upstreams.refusals import refusal
from app.upstreams.upstream import Upstream
from app.usage.price_book import PriceBook
from app.wire.connecting import system_trust

PATIENCE_SECONDS = 10.0
_NO_PROVIDER = b"unsupported model provider"  # upstreams 5.4
_IMPOSSIBLE = "mindgate-check-no-such-model"
_PREFIXES = re.compile(rb"prefixes[^\[]*\[([^\]]+)\]")


@dataclass(frozen=True, slots=True)
class UpstreamReport:
    """What asking one upstream told. *capabilities*: what it has, of what this version serves. *native*: the classes of
    its own routes that are relayed (upstreams N12). *fault* is None when it is well."""

    name: str
    dialect: str
    capabilities: tuple[str, ...]
    models: int
    detail: str
    fault: str | None = None
    native: tuple[str, ...] = ()


def unpriced_targets(configuration: Configuration) -> tuple[str, ...]:
    """The targets of routes and aliases that have no price, where a key of the file has a budget in USD: what it spends
    there is not held by it (reliability J12)."""
    if not any(key.limits.budget_nano is not None for key in configuration.keys):
        return ()
    prices, upstreams = PriceBook(configuration.prices), prepared_upstreams(configuration)
    targets = dict.fromkeys(target for route in configuration.routes for target in route.targets)
    found = []
    for target in targets:
        upstream, _, model = target.partition("/")
        if upstream in upstreams and prices.price(upstream, model) is None:
            found.append(target)
    return tuple(found)


async def check_upstreams(
    configuration: Configuration, *, patience_seconds: float = PATIENCE_SECONDS
) -> tuple[UpstreamReport, ...]:
    """A report for each upstream, in their order; all are asked at once, none for longer than *patience_seconds*."""
    upstreams, trust = prepared_upstreams(configuration).values(), system_trust()
    return tuple(await asyncio.gather(*(_check(one, trust, patience_seconds) for one in upstreams)))


async def _check(upstream: Upstream, trust: ssl.SSLContext, patience: float) -> UpstreamReport:
    sender = make_sender(upstream, trust)
    models, detail, fault = 0, "", None
    try:
        if upstream.has_list:
            paths = upstream.models_paths
            found = await discover(upstream, sender, paths=paths, patience_seconds=patience)
            models, detail = len(found.models), _first(model.id for model in found.models)
        elif upstream.dialect.path_providers:
            detail = await _ask_providers(upstream, sender, patience)
        else:
            detail = "(it has no list to ask for)"
    except UpstreamRefusedCredential:
        fault = f"refused the key: set upstreams.{upstream.name}.api_key to one that it takes"
    except GatewayError as error:
        fault = error.message
    finally:
        await sender.aclose()
    able = tuple(name for name in MATRIX if name in SERVED and upstream.supports(name))
    native = native_classes(upstream)
    return UpstreamReport(upstream.name, upstream.dialect.name, able, models, detail, fault, native)


def _first(names: Iterable[str]) -> str:
    """The first three of *names*, with a word for the rest."""
    found = list(names)
    return ", ".join([*found[:3], *(["…"] if len(found) > 3 else [])])


async def _ask_providers(upstream: Upstream, sender: Sender, patience: float) -> str:
    """Which providers answer, and how many model prefixes each names. Raises when none does."""
    providers = upstream.entry.providers
    asked = (_asked(upstream, sender, provider, patience) for provider in providers)
    answers = dict(zip(providers, await asyncio.gather(*asked), strict=True))
    failures = [one for one in answers.values() if isinstance(one, GatewayError)]
    if failures and len(failures) == len(answers):
        raise failures[0]
    found = {name: one for name, one in answers.items() if not isinstance(one, GatewayError)}
    return ", ".join(f"{name} ({_counted(n)})" if n else name for name, n in found.items())


def _counted(prefixes: int) -> str:
    return "1 prefix" if prefixes == 1 else f"{prefixes} prefixes"


async def _asked(
    upstream: Upstream, sender: Sender, provider: str, patience: float
) -> int | GatewayError:
    try:
        return await _prefixes(upstream, sender, provider, patience)
    except GatewayError as error:
        return error


async def _prefixes(upstream: Upstream, sender: Sender, provider: str, patience: float) -> int:
    chat = read_chat_request(b'{"model":"%s","messages":[]}' % _IMPOSSIBLE.encode())
    options = ChatOptions([], "check", provider=provider)
    request = prepare_chat(upstream, _IMPOSSIBLE, chat, options).request
    try:
        async with asyncio.timeout(patience):
            response = await sender.send(request)
            try:
                body = await read_whole(response, limit=1024 * 1024, name=upstream.name)
            finally:
                await response.aclose()
    except TimeoutError:
        raise GatewayError(f"no answer within {patience:g} seconds") from None
    answer = refusal(
        upstream=upstream.name,
        dialect=upstream.dialect.name,
        status=response.status,
        headers=[],
        body=body,
        model=_IMPOSSIBLE,
        secrets=upstream.secrets(),
    )
    if _NO_PROVIDER in body:
        raise GatewayError(f"Upstream '{upstream.name}' has no provider '{provider}'.")
    if not isinstance(answer, ModelNotFound):
        raise answer
    match = _PREFIXES.search(body)
    return match[1].count(b",") + 1 if match else 0
