"""One configured upstream, its dialect's defaults filled in: everything a request to it needs, prepared once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal
from urllib.parse import quote, unquote, urlencode, urlsplit

from pydantic import SecretStr

from app.domain.configuration import (
    Credential,
    Support,
    TimeoutOverrides,
    Timeouts,
    UpstreamEntry,
)
from app.protocol.answer_rules import OPENAI_RULES, AnswerRules
from app.protocol.headers import HeaderList, names_for_upstream
from app.upstreams.dialect import DIALECTS, Dialect
from app.upstreams.fourminds_events import fourminds_rules
from app.upstreams.minds_thoughts import minds_rules
from app.wire.requests import RequestHead

MissingFinish = Literal["accept", "error"]
USER_AGENT: Final = "Mozilla/5.0 (compatible; Mindgate/{version})"  # upstreams G3

_OLD_LIMIT: Final = "max_tokens"
_NEW_LIMIT: Final = "max_completion_tokens"
_LIMIT_RENAMES: Final = {_OLD_LIMIT: {_NEW_LIMIT: _OLD_LIMIT}, _NEW_LIMIT: {_OLD_LIMIT: _NEW_LIMIT}}


@dataclass(frozen=True, slots=True)
class ChatEdits:
    """What changes in a chat body on its way to an upstream (upstreams G5).

    *drops*: members removed, *drops_when_true*: only if they are true. *renames*: old name → new. *asks_usage*: for a
    stream, `stream_options.include_usage` is added where the client did not (contract I11). *replaces_developer*: the
    role `developer` becomes `system`, for all providers that do not know it. *limit_name*: what it calls the bound of
    an answer's length, where a key's own is added.
    """

    drops: tuple[str, ...]
    drops_when_true: tuple[str, ...]
    renames: Mapping[str, str]
    asks_usage: bool
    replaces_developer: bool
    limit_name: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """An upstream ready to be asked.

    *name*: in the configuration. *models_paths*: where its list may be, in the order to try. *client_headers*: the
    names of those that pass from a client; its own *headers* win over them. *chat_heads*: those prepared so far, by
    provider; ask `chat_head` for one.
    """

    name: str
    entry: UpstreamEntry
    dialect: Dialect
    base_url: str
    chat_path: str
    models_paths: tuple[str, ...]
    timeouts: Timeouts
    rules: AnswerRules
    capabilities: Mapping[str, Support]
    edits: ChatEdits
    client_headers: frozenset[bytes]
    headers: HeaderList = field(repr=False)  # these two hold secrets
    query: str = field(repr=False)
    chat_heads: dict[str, RequestHead] = field(default_factory=dict, repr=False, compare=False)

    def supports(self, capability: str) -> bool:
        """True when it has *capability* in any form."""
        return self.capabilities.get(capability, "-") != "-"

    @property
    def has_list(self) -> bool:
        """True when it can be asked for its models."""
        support = self.capabilities.get("models.list", "-")
        return bool(self.models_paths) and support not in ("-", "local")

    def url(self, path: str, query: str = "") -> str:
        """The absolute URL of *path*; an absolute *path* stands for itself. Static query parameters come last."""
        url = path if "://" in path else self.base_url + path
        joined = "&".join(part for part in (query, self.query) if part)
        return f"{url}?{joined}" if joined else url

    def chat_head(self, provider: str = "") -> RequestHead:
        """What every chat request to it begins with; *provider*: the one in its path, "" where there is none.

        Prepared once per provider that is in use.
        """
        head = self.chat_heads.get(provider)
        if head is None:
            head = self._new_chat_head(provider)
            if not provider or provider in self.entry.providers:
                self.chat_heads[provider] = head
        return head

    def _new_chat_head(self, provider: str) -> RequestHead:
        path = self.chat_path.replace("{provider}", quote(provider, safe=""))
        fields = [*self.headers, (b"content-type", b"application/json")]
        return RequestHead("POST", self.url(path), fields)

    def secrets(self) -> tuple[str, ...]:
        """What may stand in no reply and no log line: its credentials, its host, and its proxy's (contract F11)."""
        hidden = [self.entry.api_key, *self.entry.headers.values(), *self.entry.query.values()]
        texts = [value.get_secret_value() for value in hidden if isinstance(value, SecretStr)]
        hosts = [urlsplit(self.base_url).netloc]
        if self.entry.proxy is not None:  # its own error pages may come in an upstream's place
            proxy = urlsplit(self.entry.proxy.get_secret_value())
            hosts.append(proxy.netloc.rpartition("@")[2])
            texts.append(unquote(proxy.password or ""))
        # A bare word would be struck out of every text that happens to use it.
        return (*filter(None, texts), *(host for host in hosts if "." in host or ":" in host))


def prepare(entry: UpstreamEntry, defaults: Timeouts, version: str) -> Upstream:
    """The upstream that *entry* describes, where *defaults* are the file's `timeouts`."""
    dialect = DIALECTS[entry.dialect]
    generation = dialect.generations.get(entry.generation)
    base_url = entry.base_url or (generation.base_url if generation else dialect.base_url) or ""
    base_url = _base_url(base_url, dialect, append_v1=entry.append_v1)
    missing_finish = entry.missing_finish or (generation.missing_finish if generation else "error")
    chat_path, models_paths = _paths(entry, dialect, base_url)
    headers = _headers(entry, dialect, version)
    passed = names_for_upstream(openai_family=dialect.openai_headers)
    return Upstream(
        name=entry.name,
        entry=entry,
        dialect=dialect,
        base_url=base_url,
        chat_path=chat_path,
        models_paths=models_paths,
        timeouts=_timeouts(defaults, dialect.timeouts, entry.timeouts),
        rules=_rules(entry, missing_finish),
        capabilities={**dialect.capabilities, **entry.capabilities},
        edits=_edits(entry, dialect, asks=(generation or dialect).asks_usage),
        client_headers=passed - {name for name, _ in headers},
        headers=headers,
        query=urlencode({name: _text(value) for name, value in entry.query.items()}),
    )


def _base_url(url: str, dialect: Dialect, *, append_v1: bool) -> str:
    url = url.rstrip("/")
    if dialect.name == "openai" and append_v1 and not urlsplit(url).path:
        return f"{url}/v1"  # upstreams P1
    return url


def _paths(entry: UpstreamEntry, dialect: Dialect, base_url: str) -> tuple[str, tuple[str, ...]]:
    chat = dialect.chat_path
    models: tuple[str, ...] = (dialect.models_path,) if dialect.models_path else ()
    generation = dialect.generations.get(entry.generation)
    if generation is not None:
        chat = generation.chat_path
        others = (row.models_path for row in dialect.generations.values())
        models = (generation.models_path, *others)
        if entry.base_url:  # its key goes to the host that the operator named, and to no other
            models = tuple(urlsplit(path).path for path in models)
        models = tuple(dict.fromkeys(path.removeprefix(base_url) for path in models))
        if urlsplit(base_url).path.endswith("/v1"):  # upstreams 4.1: used as it is
            chat, models = "/chat/completions", ("/models", "/minds/")
    if entry.models_path:
        models = (entry.models_path,)
    return entry.chat_path or chat, models


def _rules(entry: UpstreamEntry, missing_finish: MissingFinish) -> AnswerRules:
    if entry.dialect == "4minds":
        return fourminds_rules(events=entry.events)
    if entry.dialect == "minds":
        return minds_rules(thoughts=entry.thoughts, missing_finish=missing_finish)
    return OPENAI_RULES


def _edits(entry: UpstreamEntry, dialect: Dialect, *, asks: bool) -> ChatEdits:
    limit = entry.max_tokens_name or dialect.max_tokens_name
    return ChatEdits(
        drops=tuple(name for name in dict.fromkeys(entry.drop) if name != "model"),
        drops_when_true=dialect.drops_when_true,
        renames={**_LIMIT_RENAMES.get(limit, {}), **entry.rename},
        asks_usage=asks and "stream_options" not in entry.drop,
        replaces_developer=(entry.developer_role or dialect.developer_role) == "system",
        limit_name=_NEW_LIMIT if limit == _NEW_LIMIT else _OLD_LIMIT,
    )


def _timeouts(defaults: Timeouts, dialect: TimeoutOverrides, entry: TimeoutOverrides) -> Timeouts:
    """The entry's own, else what the operator wrote for all, else the dialect's, else ours."""
    merged = defaults
    ours = Timeouts()
    for name in TimeoutOverrides.__dataclass_fields__:
        own, usual = getattr(entry, name), getattr(dialect, name)
        if own is not None:
            merged = replace(merged, **{name: own})
            if name == "first_byte_seconds":
                merged = replace(merged, first_byte_is_fixed=True)
        elif usual is not None and getattr(defaults, name) == getattr(ours, name):
            merged = replace(merged, **{name: usual})
    return merged


def _headers(entry: UpstreamEntry, dialect: Dialect, version: str) -> HeaderList:
    fields: dict[str, str] = {
        "accept-encoding": "identity",
        "user-agent": entry.user_agent or USER_AGENT.format(version=version),
        **dialect.headers,
        **{name.lower(): _text(value) for name, value in entry.headers.items()},
    }
    if entry.api_key is not None:
        credential = entry.credential or dialect.credential
        fields[credential.header.lower()] = _credential(credential, entry.api_key)
    return [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]


def _credential(credential: Credential, key: SecretStr) -> str:
    return f"{credential.scheme} {key.get_secret_value()}".strip()


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
