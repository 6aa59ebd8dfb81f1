"""
A client's chat completion as one upstream wants it (upstreams G1 to G5).

Every change is a splice into the bytes received; a body that needs none leaves as it came, the very same object.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from app.domain.errors import InvalidRequest, unknown_model
from app.protocol.headers import HeaderList, request_headers
from app.protocol.members import Member, Span, elements, members
from app.protocol.requests import ChatRequest
from app.protocol.splicing import Splice, removal, spliced
from app.upstreams.client import UpstreamRequest
from app.upstreams.openmind_providers import ProviderTarget, provider_of
from app.upstreams.upstream import Upstream

_USAGE = b'"stream_options":{"include_usage":true}'
_INCLUDE = b'"include_usage":true'
_OLD_LIMIT, _NEW_LIMIT = "max_tokens", "max_completion_tokens"


@dataclass(frozen=True, slots=True)
class PreparedChat:
    """A request ready to be sent. *dropped*: members removed (contract D16). *usage_added*: the gateway asked for it.

    *model*: the name that goes upstream.
    """

    request: UpstreamRequest
    model: str
    dropped: tuple[str, ...]
    usage_added: bool


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """What else shapes the request: the client's headers, our id, an OpenMind provider that the path named, and
    whether this upstream takes `stream_options`."""

    client_headers: HeaderList
    request_id: str
    provider: str | None = None
    stream_options: bool = True


def prepare_chat(
    upstream: Upstream, model: str, chat: ChatRequest, options: ChatOptions
) -> PreparedChat:
    """*chat* for *model* at *upstream*. Raises ModelNotFound (O-P1) and InvalidRequest (a member it cannot honour)."""
    target = provider_target(upstream, model, options.provider, asked=chat.model)
    if chat.choices > 1 and not upstream.dialect.several_choices:
        raise InvalidRequest(
            "Unsupported parameter: 'n' is not supported with this model.",
            code="unsupported_parameter",
            param="n",
        )
    dropped = _dropped(upstream, chat, options)
    asks = (
        chat.stream
        and upstream.asks_usage
        and options.stream_options
        and "stream_options" not in upstream.entry.drop
        and not chat.include_usage
    )
    splices = [
        *_model_splice(chat, target.model),
        *removal(chat.body, list(chat.members), frozenset(dropped)),
        *_renames(upstream, chat, dropped),
        *_roles(upstream, chat, target.provider),
        *(_usage_splice(chat, dropped) if asks else ()),
    ]
    request = UpstreamRequest(
        method="POST",
        url=upstream.url(upstream.chat_path.replace("{provider}", quote(target.provider, safe=""))),
        headers=_headers(upstream, options),
        body=spliced(chat.body, splices),
    )
    lost = tuple(dict.fromkeys((*chat.dropped, *dropped)))
    return PreparedChat(request, target.model, lost, usage_added=asks)


def provider_target(
    upstream: Upstream, model: str, provider: str | None, *, asked: str
) -> ProviderTarget:
    """Which of OpenMind's providers serves *model*, and under what name; for other dialects no provider.

    Raises ModelNotFound when none claims it (O-P1, without a call), with the name that the client *asked* for.
    """
    if not upstream.dialect.path_providers:
        return ProviderTarget("", model)
    if provider is not None:
        return ProviderTarget(provider, model)
    entry = upstream.entry
    target = provider_of(
        model,
        catalogue=entry.catalogue,
        models=entry.models,
        providers=entry.providers,
        model_providers=entry.model_providers,
    )
    if target is None:
        raise unknown_model(asked)
    return target


def _dropped(upstream: Upstream, chat: ChatRequest, options: ChatOptions) -> tuple[str, ...]:
    present = {member.name for member in chat.members}
    names = [name for name in upstream.entry.drop if name in present and name != "model"]
    if not options.stream_options and "stream_options" in present:
        names.append("stream_options")
    for name in upstream.dialect.drops_when_true:
        member = chat.member(name)
        if member is not None and _text(chat, member.value) == b"true":
            names.append(name)
    return tuple(dict.fromkeys(names))


def _model_splice(chat: ChatRequest, model: str) -> Iterator[Splice]:
    member = chat.member("model")
    if member is not None and model != chat.model:
        yield _replace(member.value, json.dumps(model, ensure_ascii=False).encode())


def _renames(upstream: Upstream, chat: ChatRequest, dropped: tuple[str, ...]) -> Iterator[Splice]:
    present = {member.name for member in chat.members}
    for old, new in _rename_table(upstream).items():
        member = chat.member(old)
        if member is not None and new not in present and old not in dropped:
            yield Splice(member.start, _name_end(chat.body, member), json.dumps(new).encode())


def _rename_table(upstream: Upstream) -> Mapping[str, str]:
    wanted = upstream.entry.max_tokens_name or upstream.dialect.max_tokens_name
    table = {
        _OLD_LIMIT: {_NEW_LIMIT: _OLD_LIMIT},
        _NEW_LIMIT: {_OLD_LIMIT: _NEW_LIMIT},
    }.get(wanted, {})
    return {**table, **upstream.entry.rename}


def _name_end(body: bytes, member: Member) -> int:
    # The name's closing quote is the last quote before the colon that precedes the value.
    return body.rindex(b'"', member.start, member.value.start) + 1


def _roles(upstream: Upstream, chat: ChatRequest, provider: str) -> Iterator[Splice]:
    wanted = upstream.entry.developer_role or (
        "keep" if provider == "openai" else upstream.dialect.developer_role
    )
    messages = chat.member("messages")
    if wanted == "keep" or messages is None or b"developer" not in chat.body:
        return
    if chat.body[messages.value.start] != ord("["):
        return
    for element in elements(chat.body, messages.value.start):
        if chat.body[element.start] == ord("{"):
            for member in members(chat.body, element.start):
                if member.name == "role" and _text(chat, member.value) == b'"developer"':
                    yield _replace(member.value, b'"system"')


def _usage_splice(chat: ChatRequest, dropped: tuple[str, ...]) -> Iterator[Splice]:
    member = chat.member("stream_options")
    if member is None or "stream_options" in dropped:
        first = chat.members[0]
        yield Splice(first.start, first.start, _USAGE + b",")
    elif _text(chat, member.value) == b"null":
        yield _replace(member.value, b"{" + _INCLUDE + b"}")
    else:
        yield from _usage_inside(chat, member)


def _usage_inside(chat: ChatRequest, options: Member) -> Iterator[Splice]:
    inner = list(members(chat.body, options.value.start))
    present = next((member for member in inner if member.name == "include_usage"), None)
    if present is not None:
        yield _replace(present.value, b"true")
    else:
        comma = b"," if inner else b""
        start = options.value.start + 1
        yield Splice(start, start, _INCLUDE + comma)


def _headers(upstream: Upstream, options: ChatOptions) -> HeaderList:
    passed = request_headers(options.client_headers, openai_family=upstream.dialect.openai_headers)
    own = {name for name, _ in upstream.headers}
    return [
        *((name, value) for name, value in passed if name not in own),
        *upstream.headers,
        (b"content-type", b"application/json"),
        (b"x-request-id", options.request_id.encode()),
    ]


def _replace(span: Span, replacement: bytes) -> Splice:
    return Splice(span.start, span.end, replacement)


def _text(chat: ChatRequest, span: Span) -> bytes:
    return chat.body[span.start : span.end]
