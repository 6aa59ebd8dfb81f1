"""
A client's chat completion as one upstream wants it (upstreams G1 to G5).

Every change is a splice into the bytes received; a body that needs none leaves as it came, the very same object.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from app.domain.errors import InvalidRequest, unknown_model
from app.protocol.headers import HeaderList
from app.protocol.lossless import literal
from app.protocol.members import Member, Span, elements, members
from app.protocol.requests import ChatRequest
from app.protocol.splicing import Splice, removal, spliced
from app.upstreams.chat_targets import chat_target
from app.upstreams.client import UpstreamRequest
from app.upstreams.openmind_providers import ProviderTarget
from app.upstreams.upstream import ChatEdits, Upstream

_USAGE: Final = b'"stream_options":{"include_usage":true},'
_INCLUDE: Final = b'"include_usage":true'
_DEVELOPER: Final = b'"developer"'
_SYSTEM: Final = b'"system"'


@dataclass(slots=True, init=False)
class PreparedChat:
    """A request ready to be sent. *dropped*: members removed (contract D16). *usage_added*: the gateway asked for it.

    *model*: the name that goes upstream; *provider*: which of the upstream's own it goes to, "" where it has none.
    """

    request: UpstreamRequest
    model: str
    provider: str
    dropped: tuple[str, ...]
    usage_added: bool

    def __init__(
        self,
        request: UpstreamRequest,
        model: str,
        provider: str,
        dropped: tuple[str, ...],
        usage_added: bool,
    ) -> None:
        self.request = request
        self.model = model
        self.provider = provider
        self.dropped = dropped
        self.usage_added = usage_added


@dataclass(slots=True, init=False)
class ChatOptions:
    """What else shapes the request: the client's headers, our id, an OpenMind provider that the path named, and
    whether this upstream takes `stream_options`.

    *max_tokens*: the most output that the key may ask for, said to the upstream where the client says nothing; None
    without such a bound.
    """

    client_headers: HeaderList
    request_id: str
    provider: str | None
    stream_options: bool
    max_tokens: int | None

    def __init__(
        self,
        client_headers: HeaderList,
        request_id: str,
        provider: str | None = None,
        stream_options: bool = True,
        max_tokens: int | None = None,
    ) -> None:
        self.client_headers = client_headers
        self.request_id = request_id
        self.provider = provider
        self.stream_options = stream_options
        self.max_tokens = max_tokens


def prepare_chat(
    upstream: Upstream, model: str, chat: ChatRequest, options: ChatOptions
) -> PreparedChat:
    """*chat* for *model* at *upstream*. Raises ModelNotFound (O-P1) and InvalidRequest (a member it cannot honour)."""
    edits, provider = upstream.edits, ""
    if upstream.dialect.path_providers:
        target = chat_target(upstream, model, options.provider)
        if target is None:
            raise unknown_model(chat.model)  # O-P1, without a call
        provider, model = target
    if chat.choices > 1 and not upstream.dialect.several_choices:
        raise InvalidRequest(
            "Unsupported parameter: 'n' is not supported with this model.",
            code="unsupported_parameter",
            param="n",
        )
    may_drop = edits.drops or edits.drops_when_true or not options.stream_options
    dropped = _dropped(edits, chat, options) if may_drop else ()
    asks = chat.stream and edits.asks_usage and options.stream_options and not chat.include_usage
    body = chat.body
    bound = options.max_tokens if chat.max_tokens is None else None
    # Asked here, since for most requests no answer is yes and then nothing below is called.
    if model != chat.model or dropped or asks or bound or edits.renames or edits.replaces_developer:
        splices = _splices(upstream, chat, ProviderTarget(provider, model), dropped)
        if asks:
            splices += _usage_splices(chat)
        if bound:
            splices += _bound_splices(chat, edits, bound)
        body = spliced(body, splices) if splices else body
    passed = upstream.client_headers
    headers = [field for field in options.client_headers if field[0] in passed]
    headers.append((b"x-request-id", options.request_id.encode()))
    head = upstream.chat_heads.get(provider) or upstream.chat_head(provider)
    request = UpstreamRequest(head, headers, body)
    lost = tuple(dict.fromkeys((*chat.dropped, *dropped))) if chat.dropped else dropped
    return PreparedChat(request, model, provider, lost, asks)


def _dropped(edits: ChatEdits, chat: ChatRequest, options: ChatOptions) -> tuple[str, ...]:
    names = [name for name in edits.drops if name in chat.members]
    if not options.stream_options and "stream_options" in chat.members:
        names.append("stream_options")
    for name in edits.drops_when_true:
        member = chat.members.find(name)
        if member is not None and _text(chat, member.value) == b"true":
            names.append(name)
    return tuple(dict.fromkeys(names)) if names else ()


def _splices(
    upstream: Upstream, chat: ChatRequest, target: ProviderTarget, dropped: tuple[str, ...]
) -> list[Splice]:
    """Every change but the question for usage."""
    splices: list[Splice] = []
    if target.model != chat.model:
        splices += _model_splice(chat, target.model)
    if dropped:
        splices += removal(list(chat.members), frozenset(dropped))
    if upstream.edits.renames:
        splices += _renames(upstream.edits.renames, chat, dropped)
    replaces = upstream.edits.replaces_developer and _DEVELOPER in chat.body
    if replaces and not _knows_developer(upstream, target.provider):
        splices += _roles(chat)
    return splices


def _model_splice(chat: ChatRequest, model: str) -> list[Splice]:
    member = chat.members.find("model")
    return [_replace(member.value, literal(model))] if member is not None else []


def _renames(
    renames: Mapping[str, str], chat: ChatRequest, dropped: tuple[str, ...]
) -> Iterator[Splice]:
    for old, new in renames.items():
        if old in chat.members and new not in chat.members and old not in dropped:
            member = chat.members.find(old)
            if member is not None:
                yield Splice(member.start, _name_end(chat.body, member), literal(new))


def _name_end(body: bytes, member: Member) -> int:
    # The name's closing quote is the last quote before the colon that precedes the value.
    return body.rindex(b'"', member.start, member.value.start) + 1


def _knows_developer(upstream: Upstream, provider: str) -> bool:
    """Behind OpenMind one vendor takes the role as it is, unless the operator wrote down another."""
    return provider == "openai" and upstream.entry.developer_role is None


def _roles(chat: ChatRequest) -> Iterator[Splice]:
    messages = chat.members.find("messages")
    if messages is None or chat.body[messages.value.start] != ord("["):
        return
    for element in elements(chat.body, messages.value.start):
        if chat.body[element.start] == ord("{"):
            for member in members(chat.body, element.start):
                if member.name == "role" and _text(chat, member.value) == _DEVELOPER:
                    yield _replace(member.value, _SYSTEM)


def _usage_splices(chat: ChatRequest) -> list[Splice]:
    member = chat.members.find("stream_options")
    if member is None:
        first = chat.body.index(b'"')  # where the first member begins
        return [Splice(first, first, _USAGE)]
    if _text(chat, member.value) == b"null":
        return [_replace(member.value, b"{" + _INCLUDE + b"}")]
    inner = list(members(chat.body, member.value.start))
    present = next((one for one in inner if one.name == "include_usage"), None)
    if present is not None:
        return [_replace(present.value, b"true")]
    start = member.value.start + 1
    return [Splice(start, start, _INCLUDE + b"," if inner else _INCLUDE)]


def _bound_splices(chat: ChatRequest, edits: ChatEdits, bound: int) -> list[Splice]:
    """A bound that the client left out, or null, under either of its names."""
    names = [one for one in ("max_tokens", "max_completion_tokens") if one not in edits.drops]
    nulls = [chat.members.find(one) for one in names]
    replaced = [_replace(member.value, b"%d" % bound) for member in nulls if member is not None]
    if replaced or edits.limit_name in edits.drops:
        return replaced
    first = chat.body.index(b'"')  # where the first member begins
    return [Splice(first, first, b'"%b":%d,' % (edits.limit_name.encode(), bound))]


def _replace(span: Span, replacement: bytes) -> Splice:
    return Splice(span.start, span.end, replacement)


def _text(chat: ChatRequest, span: Span) -> bytes:
    return chat.body[span.start : span.end]
