"""
`${VAR}` in any text of the configuration, and `file:PATH` where a secret stands (reliability S19).

`$${` is a literal `${`. A variable that is missing or empty, and a file that cannot be trusted, is an error.
"""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.config.faults import Fault
from app.config.layers import Layer, Stack
from app.config.schema_tree import Where, matches, secret_settings

_REFERENCE = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<name>[^{}]*)\}|(?P<open>\$\{)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRETS = secret_settings()


@dataclass(slots=True)
class _Reading:
    """One walk through a layer's tree."""

    variables: Mapping[str, str]
    folder: Path
    faults: list[Fault] = field(default_factory=list)

    def expand(self, value: Any, where: Where = ()) -> Any:
        """*value* with every reference in it replaced."""
        if isinstance(value, Mapping):
            return {key: self.expand(inner, (*where, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.expand(inner, (*where, i)) for i, inner in enumerate(value)]
        if not isinstance(value, str):
            return value
        text = _REFERENCE.sub(lambda match: self._replacement(match, where), value)
        if value.startswith("file:") and any(matches(place, where) for place in _SECRETS):
            return self._content(text, where)
        return text

    def _replacement(self, match: re.Match[str], where: Where) -> str:
        if match["escaped"]:
            return "${"
        name = match["name"]
        if name is None or not _VARIABLE.fullmatch(name):
            self.faults.append(
                Fault(where, "holds ${ without a variable's name and }; write $${ for a literal ${")
            )
            return ""
        value = self.variables.get(name, "").strip()
        if not value:
            text = f"${{{name}}} is not set; set the variable {name}, or take this key out"
            self.faults.append(Fault(where, text))
        return value

    def _content(self, reference: str, where: Where) -> str:
        path = self.folder / Path(reference.removeprefix("file:")).expanduser()
        try:
            return read_secret(path)
        except ValueError as error:
            self.faults.append(Fault(where, str(error)))
            return ""


def expanded(layer: Layer, variables: Mapping[str, str], folder: Path) -> Layer:
    """*layer* with its references replaced.

    *folder*: what a relative `file:` path starts from. Raises ConfigurationError, naming key, variable and file.
    """
    reading = _Reading(variables, folder)
    tree = reading.expand(layer.tree)
    if reading.faults:
        raise Stack((layer,), layer.source).refusal(reading.faults)
    return replace(layer, tree=tree)


def variables_named_in(text: str) -> frozenset[str]:
    """The variables that *text* refers to as `${VAR}`."""
    return frozenset(match["name"] for match in _REFERENCE.finditer(text) if match["name"])


def read_secret(path: Path) -> str:
    """The text of the file at *path* without the blanks and line end around it.

    Raises ValueError, with a text for the operator, for a file that is missing, unreadable, empty or no text, and
    for one that anybody may write: whoever can replace an upstream key can read what is sent with it.
    """
    try:
        if path.stat().st_mode & stat.S_IWOTH:
            raise ValueError(f"the file {path} may be written by anybody; run chmod o-w on it")
        text = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError(f"the file {path} is not UTF-8 text") from None
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ValueError(f"the file {path} cannot be read: {reason}") from None
    if not text:
        raise ValueError(f"the file {path} is empty")
    return text
