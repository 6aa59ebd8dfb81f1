"""
What was set where, and who wins: the command line, then the environment, then the file.

pydantic-settings merges the layers; this module remembers them, so that a fault names the place a person wrote.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_settings import InitSettingsSource, PydanticBaseSettingsSource

from app.config.faults import Fault, one_line, schema_faults
from app.config.schema import Settings
from app.config.schema_tree import Where, dotted
from app.domain.errors import ConfigurationError

_NULL_IS_A_VALUE: Where = ("storage", "url")


@dataclass(frozen=True, slots=True)
class Layer:
    """The settings of one source. *variables*: which environment variable set which key."""

    source: str
    tree: Mapping[str, Any]
    variables: Mapping[Where, str] = field(default_factory=dict)

    def describe(self, where: Where) -> str:
        """`config/mindgate.yaml: upstreams.minds.generation`; with the variable where one set it."""
        shown, depth = _follow(self.tree, where)
        variable = next(
            (self.variables[shown[:n]] for n in range(depth, 0, -1) if shown[:n] in self.variables),
            None,
        )
        return f"{self.source}: {dotted(shown)}" + (f" ({variable})" if variable else "")

    def steps_known(self, where: Where) -> int:
        """How many steps of *where* this layer has."""
        return _follow(self.tree, where)[1]


@dataclass(frozen=True, slots=True)
class Stack:
    """All layers, the winning one first. *source*: whose fault it is when none of them says anything."""

    layers: tuple[Layer, ...]
    source: str

    def settings(self) -> Settings:
        """The layers merged. Raises ConfigurationError for what the schema refuses."""
        for n, layer in enumerate(self.layers):
            for lower in self.layers[n + 1 :]:
                if faults := list(_partly_set(layer.tree, lower)):
                    raise self.refusal(faults)
        sources: tuple[PydanticBaseSettingsSource, ...] = tuple(
            InitSettingsSource(Settings, init_kwargs=dict(layer.tree)) for layer in self.layers
        )
        try:
            return Settings(_build_sources=(sources, {}))
        except ValidationError as error:
            faults = schema_faults(error)
        raise self.refusal(faults)  # outside the handler: pydantic's error holds the values

    def refusal(self, faults: Sequence[Fault]) -> ConfigurationError:
        """The error that says the first of *faults* and the number of the others."""
        first, *others = faults
        more = f" (and {len(others)} more)" if others else ""
        return ConfigurationError(one_line(f"{self._locate(first.where)}: {first.text}{more}"))

    def _locate(self, where: Where) -> str:
        # The layer that knows most of the path wrote it; of equals the one that wins.
        layer = max(self.layers, key=lambda layer: layer.steps_known(where))
        if layer.steps_known(where):
            return layer.describe(where)
        return f"{self.source}: {dotted(where)}" if where else self.source


def _partly_set(tree: Mapping[str, Any], lower: Layer) -> Iterator[Fault]:
    """Keys that *tree* sets in part and *lower* as a whole: merging would drop what *lower* says, unseen."""
    pending: list[tuple[Where, Any, Any]] = [((), tree, lower.tree)]
    while pending:
        where, upper, under = pending.pop()
        for key in upper.keys() & under.keys():
            if not isinstance(upper[key], Mapping):
                continue
            if isinstance(under[key], Mapping):
                pending.append(((*where, key), upper[key], under[key]))
            else:
                yield Fault((*where, key), f"sets a part of what {lower.source} sets as a whole")


def without_nulls(value: object, where: Where = ()) -> Any:
    """*value* without the keys of mappings that are null: an empty section, or a key without value, is the default.

    But for `storage.url`: whoever writes null there does not mean a database. *where*: the place of *value*.
    """
    if isinstance(value, Mapping):
        return {
            key: without_nulls(inner, (*where, key))
            for key, inner in value.items()
            if inner is not None or (*where, key) == _NULL_IS_A_VALUE
        }
    if isinstance(value, list):
        return [without_nulls(inner, (*where, n)) for n, inner in enumerate(value)]
    return value


def _follow(tree: Any, where: Where) -> tuple[Where, int]:
    """The steps of *where* as a person wrote them in *tree*, and how many of them are there.

    The schema sees a short form (`fast: [a/b]`) as its long one; steps that only the long form has are left out.
    A key that a mapping lacks is shown, and ends the walk.
    """
    shown: list[str | int] = []
    found = 0
    for step in where:
        if isinstance(tree, Mapping):
            shown.append(step)
            if step not in tree:
                break
            tree = tree[step]
            found += 1
        elif isinstance(tree, list) and isinstance(step, int) and step < len(tree):
            shown.append(step)
            tree = tree[step]
            found += 1
    return tuple(shown), found
