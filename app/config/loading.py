"""
Environment, `.env`, one YAML file and the command line, read once into a Configuration (architecture 5).

The command line wins over the environment, the environment over `.env`, `.env` over the file, the file over the
defaults. Whatever is wrong is a ConfigurationError of one line, before anything is started.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from app.config.conversion import configuration_of
from app.config.environment import (
    ADMIN_VARIABLE,
    CONFIG_VARIABLE,
    VIEWER_VARIABLE,
    read_environment,
    secret_variable,
)
from app.config.faults import Fault
from app.config.key_checks import key_faults
from app.config.layers import Layer, Stack
from app.config.ledger_checks import ledger_faults
from app.config.listener_checks import listener_faults
from app.config.references import expanded
from app.config.routes import route_faults
from app.config.schema import Settings
from app.config.start_rules import start_faults
from app.config.upstream_checks import upstream_faults
from app.config.upstream_keys import with_upstream_keys
from app.config.variables import variable_layer
from app.config.yaml_file import file_layer
from app.domain.configuration import Configuration
from app.domain.errors import ConfigurationError

DEFAULT_FILE = Path("config/mindgate.yaml")


def load_configuration(
    *,
    config_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    dotenv: Path | None = Path(".env"),
    overrides: Mapping[str, object] | None = None,
    to_serve: bool = True,
) -> Configuration:
    """The configuration, validated as a whole and safe to serve with; *to_serve* False: to look after its storage.

    *config_file* None: MINDGATE_CONFIG, else `config/mindgate.yaml` if there is one, else none. *environment* None:
    the process's own. *dotenv* None: no such file. *overrides* are dotted keys from the command line, such as
    `server.port`; a None in them says nothing. Raises ConfigurationError.
    """
    variables = read_environment(os.environ if environment is None else environment, dotenv)
    path = _file_to_read(config_file, variables)
    stack = _stack(path, variables, overrides or {})
    planes = _plane_keys(variables)
    settings = stack.settings()
    located = Stack((*stack.layers, Layer("environment", planes)), stack.source)
    if faults := list(_faults(settings, planes, to_serve=to_serve)):
        raise located.refusal(faults)
    configuration = configuration_of(
        settings,
        upstream_order=_as_written(stack),
        admin_key=planes.get(ADMIN_VARIABLE),
        viewer_key=planes.get(VIEWER_VARIABLE),
        source=stack.source,
    )
    if to_serve and (faults := list(start_faults(configuration))):
        raise located.refusal(faults)
    return configuration


def _file_to_read(named: Path | None, variables: Mapping[str, str]) -> Path | None:
    """The file, if any. One that was named must exist; the default one may be missing."""
    origin = "command line"
    if named is None and (variable := variables.get(CONFIG_VARIABLE)):
        named, origin = Path(variable.strip()).expanduser(), f"environment: {CONFIG_VARIABLE}"
    if named is None:
        return DEFAULT_FILE if DEFAULT_FILE.exists() else None
    if not named.is_file():
        raise ConfigurationError(f"{origin}: there is no file {named}")
    return named


def _stack(
    path: Path | None, variables: Mapping[str, str], overrides: Mapping[str, object]
) -> Stack:
    """The three layers, each with its references replaced, the winning one first."""
    in_file, named_in_file = Layer("environment", {}), frozenset[str]()
    if path:
        in_file, named_in_file = file_layer(path)
        in_file = expanded(in_file, variables, path.parent)
    in_variables = variable_layer(variables, in_file.tree, named_in_file)
    in_variables = expanded(in_variables, variables, Path())
    in_variables = with_upstream_keys(in_variables, variables, in_file.tree)
    on_command_line = Layer("command line", _nested(overrides))
    return Stack((on_command_line, in_variables, in_file), in_file.source)


def _nested(overrides: Mapping[str, object]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in overrides.items():
        if value is None:
            continue
        *above, last = key.split(".")
        inner = tree
        for step in above:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return tree


def _plane_keys(variables: Mapping[str, str]) -> dict[str, SecretStr]:
    found = {name: secret_variable(variables, name) for name in (ADMIN_VARIABLE, VIEWER_VARIABLE)}
    return {name: SecretStr(value) for name, value in found.items() if value}


def _faults(
    settings: Settings, planes: Mapping[str, SecretStr], *, to_serve: bool
) -> Iterator[Fault]:
    yield from upstream_faults(settings, to_serve=to_serve)
    yield from route_faults(settings)
    yield from key_faults(settings, planes)
    yield from ledger_faults(settings, planes)
    yield from listener_faults(settings.server)


def _as_written(stack: Stack) -> Iterator[str]:
    """The upstreams' names: the file's, then those that the environment adds."""
    for layer in reversed(stack.layers):
        yield from layer.tree.get("upstreams", {})
