"""
`FOURMINDS_API_KEY`, `MINDS_API_KEY`, `OPENMIND_API_KEY`: an upstream each, with no file at all (architecture 5).

Beside a file, the variable gives the key that the entry of that name leaves out; what the entry says wins.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.config.environment import UPSTREAM_VARIABLES, secret_variable
from app.config.layers import Layer
from app.config.variables import spelling


def with_upstream_keys(
    layer: Layer, variables: Mapping[str, str], file_tree: Mapping[str, Any]
) -> Layer:
    """*layer*, the environment's, with the keys that those variables give. Raises ConfigurationError."""
    from_file, from_variables = _upstreams(file_tree), _upstreams(layer.tree)
    entries = {
        name: dict(entry) for name, entry in from_variables.items() if isinstance(entry, Mapping)
    }
    origins = dict(layer.variables)
    for dialect, variable in UPSTREAM_VARIABLES.items():
        key = secret_variable(variables, variable)
        name = spelling(dialect, [*from_file, *from_variables])
        written = {**_entry(from_file, name), **_entry(from_variables, name)}
        # an entry of that name which speaks to another service must not be given this one's key
        if key and "api_key" not in written and written.get("dialect", dialect) == dialect:
            entries.setdefault(name, {})["api_key"] = key
            origins["upstreams", name, "api_key"] = variable
    if not entries:
        return layer
    return replace(
        layer, tree={**layer.tree, "upstreams": {**from_variables, **entries}}, variables=origins
    )


def _upstreams(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    return _entry(tree, "upstreams")


def _entry(tree: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = tree.get(key)
    return inner if isinstance(inner, Mapping) else {}
