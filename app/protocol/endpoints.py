"""
The endpoint table: which method and path is which capability (upstreams.md, section 2).

A row is `(capability, methods, path below /v1)`. `{x}` stands for one segment, `{x...}` for the rest of the
path. A family takes everything at or below its first segment. What no upstream can do yet is listed all the
same, so that a known route answers `unsupported_endpoint` and only a misspelt one `unknown_url`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_ROWS: tuple[tuple[str, str, str], ...] = (
    ("chat.create", "POST", "chat/completions"),
    ("chat.stored", "GET", "chat/completions"),
    ("chat.stored", "GET POST DELETE", "chat/completions/{id}"),
    ("chat.stored", "GET", "chat/completions/{id}/messages"),
    ("models.list", "GET", "models"),
    ("models.get", "GET", "models/{model...}"),
    ("models.delete", "DELETE", "models/{model...}"),
    ("completions", "POST", "completions"),
    ("responses", "POST", "responses"),
    ("responses", "GET DELETE", "responses/{id}"),
    ("responses", "GET", "responses/{id}/input_items"),
    ("messages", "POST", "messages"),
    ("messages", "POST", "messages/count_tokens"),
    ("embeddings", "POST", "embeddings"),
    ("audio.speech", "POST", "audio/speech"),
    ("audio.transcriptions", "POST", "audio/transcriptions"),
    ("files", "GET POST", "files"),
    ("files", "GET DELETE", "files/{id}"),
    ("files.content", "GET", "files/{id}/content"),
    ("fine_tuning", "GET POST", "fine_tuning/jobs"),
    ("fine_tuning", "GET", "fine_tuning/jobs/{id}"),
    ("fine_tuning", "POST", "fine_tuning/jobs/{id}/cancel"),
    ("fine_tuning.more", "GET", "fine_tuning/jobs/{id}/events"),
    ("fine_tuning.more", "GET", "fine_tuning/jobs/{id}/checkpoints"),
    ("fine_tuning.more", "POST", "fine_tuning/jobs/{id}/pause"),
    ("fine_tuning.more", "POST", "fine_tuning/jobs/{id}/resume"),
    ("fine_tune_categories", "GET", "fine-tune-categories"),
    ("datasets", "GET POST", "datasets"),
    ("datasets", "POST", "datasets/import"),
    ("datasets", "GET DELETE", "datasets/{id}"),
    ("external_models", "GET", "external-models"),
    # The gateway's own: what it can do, and what a key may know about itself.
    ("capabilities", "GET", "capabilities"),
    ("me", "GET", "me"),
    ("requests.get", "GET", "requests/{id}"),
)
FAMILIES = (
    *("moderations", "audio/translations", "images", "batches", "uploads", "vector_stores"),
    *("assistants", "threads", "evals", "containers", "conversations", "videos", "rerank"),
)
_FAMILY_ROOTS = frozenset(tuple(family.split("/")) for family in FAMILIES)
_FAMILY = dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), "families")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What one path takes: the capability of each method, and the path's parameters as they came, still encoded."""

    template: str
    capabilities: Mapping[str, str]
    parameters: Mapping[str, tuple[str, ...]]

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the path takes, in a fixed order."""
        return tuple(sorted(self.capabilities))


def _templates() -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {}
    for capability, methods, template in _ROWS:
        table.setdefault(template, {}).update(dict.fromkeys(methods.split(), capability))
    return table


_TEMPLATES = {
    template: (tuple(template.split("/")), methods) for template, methods in _templates().items()
}
_STATIC = {shape: (template, methods) for template, (shape, methods) in _TEMPLATES.items()}
LITERAL_PATHS = tuple(template for template in _TEMPLATES if "{" not in template)
_PATTERNS: dict[str, list[tuple[str, tuple[str, ...], dict[str, str]]]] = {}  # by first segment
for _template, (_shape, _methods) in _TEMPLATES.items():
    if "{" in _template:
        _PATTERNS.setdefault(_shape[0], []).append((_template, _shape, _methods))


def find_endpoint(segments: tuple[str, ...]) -> Endpoint | None:
    """The endpoint of a path below `/v1`, given as its non-empty segments; None for an unknown path."""
    static = _STATIC.get(segments)
    if static is not None:
        return Endpoint(static[0], static[1], {})
    for template, shape, methods in _PATTERNS.get(segments[0], ()) if segments else ():
        parameters = _match(shape, segments)
        if parameters is not None:
            return Endpoint(template, methods, parameters)
    if _root(segments):
        return Endpoint("/".join(_root(segments)), _FAMILY, {"path": segments})
    return None


def routes_by_capability() -> dict[str, tuple[str, ...]]:
    """Each capability that has a path, with its routes as `GET /v1/files/{id}`; a family as `* /v1/images`, for every
    method at that path or below."""
    found: dict[str, tuple[str, ...]] = {}
    for capability, methods, template in _ROWS:
        path = template.replace("...}", "}")
        routes = tuple(f"{method} /v1/{path}" for method in methods.split())
        found[capability] = (*found.get(capability, ()), *routes)
    return {**found, "families": tuple(f"* /v1/{family}" for family in FAMILIES)}


def _root(segments: tuple[str, ...]) -> tuple[str, ...]:
    """The first segments of *segments* that are a family's; () where there are none."""
    return next((part for part in (segments[:1], segments[:2]) if part in _FAMILY_ROOTS), ())


def _match(shape: tuple[str, ...], segments: tuple[str, ...]) -> dict[str, tuple[str, ...]] | None:
    parameters: dict[str, tuple[str, ...]] = {}
    for position, part in enumerate(shape):
        if part.endswith("...}"):
            rest = segments[position:]
            return {part[1:-4]: rest, **parameters} if rest else None
        if position >= len(segments):
            return None
        if part.startswith("{"):
            parameters[part[1:-1]] = (segments[position],)
        elif part != segments[position]:
            return None
    return parameters if len(shape) == len(segments) else None
