"""One YAML file into a plain tree: safe loader, no duplicate keys, dates stay text, faults with their line."""

import re
from pathlib import Path
from typing import Any

import yaml

from app.config.amounts import WrittenNumber
from app.config.faults import one_line
from app.config.layers import Layer, without_nulls
from app.config.references import variables_named_in
from app.domain.errors import ConfigurationError

_TAG = "tag:yaml.org,2002:"
_STRING, _MERGE, _TIMESTAMP = _TAG + "str", _TAG + "merge", _TAG + "timestamp"
_KINDS = ("null", "bool", "int", "float", "str", "seq", "map")
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")


class _BadKey(yaml.MarkedYAMLError):
    """A key that is no text, or that stands twice; its problem is written here, so it may be shown."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the kinds of value that JSON has, and no others."""

    yaml_constructors = {  # noqa: RUF012 PyYAML's own way
        tag: constructor
        for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.removeprefix(_TAG) in _KINDS
    }


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.tag == _MERGE:
            continue
        if key.tag != _STRING:
            problem = "a key must be text; put it in quotes"
            raise _BadKey(problem=problem, problem_mark=key.start_mark)
        if key.value in seen:
            problem = f"{key.value}: stands here twice"
            raise _BadKey(problem=problem, problem_mark=key.start_mark)
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


def _fraction(loader: _Loader, node: yaml.ScalarNode) -> WrittenNumber:
    return WrittenNumber(node.value, loader.construct_yaml_float(node))


_Loader.add_constructor(_TAG + "map", _mapping)
_Loader.add_constructor(_TAG + "float", _fraction)
# Dates are read by the schema, which knows where one may stand; `2026-01-01` elsewhere is a name.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def file_layer(path: Path) -> tuple[Layer, frozenset[str]]:
    """The settings in *path*, none for an empty file, and the variables that its text names as `${VAR}`.

    Keys that are null are left out: they mean the default. Raises ConfigurationError.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is not UTF-8 text") from None
    except OSError as error:
        reason = error.strerror or "unknown reason"
        raise ConfigurationError(f"{path}: cannot be read: {reason.lower()}") from None
    try:
        tree = yaml.load(text, Loader=_Loader)  # noqa: S506 a subclass of SafeLoader
        tree = without_nulls({} if tree is None else tree)
    except (yaml.YAMLError, ValueError, LookupError, RecursionError) as error:  # !!bool x: KeyError
        raise ConfigurationError(one_line(f"{path}: {_reason(error)}")) from None
    if not isinstance(tree, dict):
        raise ConfigurationError(f"{path}: needs a mapping of sections, such as `server:`")
    return Layer(str(path), tree), variables_named_in(text)


def _reason(error: Exception) -> str:
    """What the parser met, without the text it met: that may be a secret (reliability S19)."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        return (f"line {mark.line + 1}: " if mark else "") + _problem(error)
    if isinstance(error, yaml.reader.ReaderError):
        return "holds a character that YAML does not allow"
    return (
        "is nested too deeply" if isinstance(error, RecursionError) else "holds an impossible value"
    )


def _problem(error: yaml.MarkedYAMLError) -> str:
    if isinstance(error, _BadKey):
        return str(error.problem)
    if isinstance(error, yaml.composer.ComposerError):
        return "an alias (*) or anchor (&) that cannot be used; put text that begins so in quotes"
    if isinstance(error, yaml.constructor.ConstructorError):
        return "a value of a kind that has no place here; put text that begins with ! in quotes"
    return _QUOTED.sub(_character_or_token, error.problem or error.context or "is not YAML")


def _character_or_token(match: re.Match[str]) -> str:
    """Keep '}', '\\t' and '<stream end>', which are the parser's own words; hide what is longer."""
    content = match[1] or match[2] or ""
    escape = content.startswith("\\") and len(content) <= len(r"\u0000")
    return match[0] if len(content) <= 1 or escape or content.startswith("<") else "this"
