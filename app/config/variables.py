"""
`MINDGATE_SECTION__KEY`: any setting of the file from the environment.

A value that begins like JSON is read as JSON, else it is text and the schema reads the number or truth in it. A
variable that begins with MINDGATE_ and is no setting is an error: a typo must not be silently the default.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from app.config.amounts import WrittenNumber
from app.config.environment import (
    ADMIN_VARIABLE,
    CONFIG_VARIABLE,
    FILE_SUFFIX,
    VIEWER_VARIABLE,
)
from app.config.faults import did_you_mean
from app.config.layers import Layer, without_nulls
from app.config.references import variables_named_in
from app.config.schema import Settings
from app.config.schema_tree import EACH, NAME, Where, settings
from app.domain.errors import ConfigurationError

PREFIX = "MINDGATE_"
_KNOWN = (
    CONFIG_VARIABLE,
    ADMIN_VARIABLE,
    ADMIN_VARIABLE + FILE_SUFFIX,
    VIEWER_VARIABLE,
    VIEWER_VARIABLE + FILE_SUFFIX,
)
# Sections whose keys are names that a person chose: met in any case, as an environment spells them.
_NAMED = ("upstreams", "models", "prices")

# Kubernetes adds these to every pod beside a Service called mindgate or mindgate-…; nobody wrote them.
_SERVICE_LINK = re.compile(r"MINDGATE_(\w+_)?SERVICE_(HOST|PORT)(_\w+)?")
_SERVICE_PORT = re.compile(r"MINDGATE_(\w+_)?PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?")
_SERVICE_PORT_PART = re.compile(r"MINDGATE_(\w+_)?PORT_\d+_(TCP|UDP|SCTP)(_\w+)?")


def variable_layer(
    variables: Mapping[str, str], file_tree: Mapping[str, Any], used: Collection[str]
) -> Layer:
    """The layer that the variables make.

    *file_tree* gives names their spelling; *used* are variables that the file names as `${VAR}`, so they are known.
    Raises ConfigurationError.
    """
    for name, value in variables.items():
        if name.startswith(PREFIX):
            used = {*used, *variables_named_in(value)}
    tree: dict[str, Any] = {}
    origins: dict[Where, str] = {}
    for name, value in sorted(_settings_among(variables, used)):
        where = _place(name, file_tree)
        _put(tree, where, _parsed(name, value), name)
        origins[where] = name
    return Layer("environment", without_nulls(tree), origins)


def spelling(name: str, names: Iterable[str]) -> str:
    """*name* as one of *names* writes it, compared without case and with `_` for `-` and `.`; else lower case."""
    for other in names:
        if _folded(other) == _folded(name):
            return other
    return name.lower()


def variable_name(where: Where) -> str:
    """The variable that sets the key at *where*."""
    return PREFIX + "__".join(str(step) for step in where).upper()


def _folded(name: str) -> str:
    return re.sub(r"[-.]", "_", name).lower()


def _settings_among(
    variables: Mapping[str, str], used: Collection[str]
) -> Iterator[tuple[str, str]]:
    for name, value in variables.items():
        if not name.startswith(PREFIX) or name in _KNOWN or _is_service_link(name, value):
            continue
        section = name.removeprefix(PREFIX).split("__")[0].lower()
        if section in Settings.model_fields:
            yield name, value
        elif name not in used:
            raise ConfigurationError(f"environment: {name}: unknown variable{_meant(name)}")


def _meant(name: str) -> str:
    """The setting whose last word *name* is, such as PORT; else the nearest one."""
    places = [place for place, _ in settings() if NAME not in place and EACH not in place]
    known = [*_KNOWN, *map(variable_name, places)]
    if ends := [other for other in known if other.endswith("__" + name.removeprefix(PREFIX))]:
        return f"; did you mean '{ends[0]}'?"
    hint = did_you_mean(name.removeprefix(PREFIX), [word.removeprefix(PREFIX) for word in known])
    return hint.replace("mean '", f"mean '{PREFIX}")


def _is_service_link(name: str, value: str) -> bool:
    if _SERVICE_LINK.fullmatch(name) or _SERVICE_PORT_PART.fullmatch(name):
        return True
    return bool(_SERVICE_PORT.fullmatch(name)) and "://" in value


def _place(name: str, file_tree: Mapping[str, Any]) -> Where:
    section, *steps = name.removeprefix(PREFIX).split("__")
    section = section.lower()
    if not steps or section not in _NAMED:
        return (section, *(step.lower() for step in steps))
    given = file_tree.get(section)
    first = spelling(steps[0], given if isinstance(given, Mapping) else ())
    return (section, first, *(step.lower() for step in steps[1:]))


def _parsed(name: str, value: str) -> Any:
    text = value.strip()
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text, object_pairs_hook=_without_repeats, parse_float=WrittenNumber)
    except (json.JSONDecodeError, RecursionError):
        # an address such as [::1] begins like JSON, too
        if text.startswith("[") and text.endswith("]") and not set(text) & set("\"'{,"):
            return text
        raise ConfigurationError(
            f'environment: {name}: is not valid JSON, such as ["a", "b"]'
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"environment: {name}: {error}") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in pairs:
        if key in tree:
            raise ValueError(f"{key} stands there twice")
        tree[key] = value
    return tree


def _put(tree: dict[str, Any], where: Where, value: Any, name: str) -> None:
    """Set *value* at *where*; variables come sorted, so a whole comes before its parts."""
    *above, last = where
    for step in above:
        inner = tree.setdefault(str(step), {})
        if not isinstance(inner, dict):
            whole = variable_name(tuple(above))
            raise ConfigurationError(
                f"environment: {name}: cannot be set beside {whole}, which sets all of it"
            )
        tree = inner
    if last == "":
        raise ConfigurationError(f"environment: {name}: ends in __ without a key")
    tree[str(last)] = value
