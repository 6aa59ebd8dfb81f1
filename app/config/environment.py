"""
The environment and `.env`: which variables there are, and the few that are no setting of the file.

The real environment wins over `.env`. An empty variable counts as not set; set in the environment, it also hides the
one in `.env`, so that `MINDS_API_KEY= mindgate serve` switches an upstream off.
"""

import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from app.config.references import read_secret
from app.domain.errors import ConfigurationError

# The upstreams that a variable alone switches on (architecture 5).
UPSTREAM_VARIABLES = {
    "4minds": "FOURMINDS_API_KEY",
    "minds": "MINDS_API_KEY",
    "openmind": "OPENMIND_API_KEY",
}
CONFIG_VARIABLE = "MINDGATE_CONFIG"
ADMIN_VARIABLE = "MINDGATE_ADMIN_KEY"
VIEWER_VARIABLE = "MINDGATE_VIEWER_KEY"
SECRET_VARIABLES = (*UPSTREAM_VARIABLES.values(), ADMIN_VARIABLE, VIEWER_VARIABLE)
FILE_SUFFIX = "_FILE"

_KEY_TEXT = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


def read_environment(environment: Mapping[str, str], dotenv: Path | None) -> dict[str, str]:
    """The variables that are set, empty ones left out. A *dotenv* that does not exist is no fault.

    `${…}` in `.env` is not replaced here: a variable that is missing must be an error, not "".
    Raises ConfigurationError for a `.env` that cannot be understood.
    """
    variables = {**(_read_dotenv(dotenv) if dotenv else {}), **environment}
    return {name: value for name, value in variables.items() if value.strip()}


def secret_variable(variables: Mapping[str, str], name: str) -> str | None:
    """The secret in the variable *name*, or in the file that *name*`_FILE` names; None when neither is set.

    Raises ConfigurationError when both are, or when the secret cannot be one.
    """
    inline, path = variables.get(name), variables.get(name + FILE_SUFFIX)
    if inline and path:
        raise ConfigurationError(
            f"environment: {name}: is set, and so is {name}{FILE_SUFFIX}; unset one of them"
        )
    if path:
        name += FILE_SUFFIX
        try:
            inline = read_secret(Path(path).expanduser())
        except ValueError as error:
            raise ConfigurationError(f"environment: {name}: {error}") from None
    if inline is None:
        return None
    if not _KEY_TEXT.fullmatch(inline.strip()):
        raise ConfigurationError(f"environment: {name}: must be printable ASCII on one line")
    return inline.strip()


def _read_dotenv(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is not UTF-8 text") from None
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigurationError(f"{path}: cannot be read: {reason}") from None
    variables: dict[str, str] = {}
    for binding in parse_stream(StringIO(text)):
        if binding.error:
            raise ConfigurationError(
                f"{path}: line {binding.original.line}: is not of the form NAME=value"
            )
        if binding.key is not None and binding.value is not None:
            variables[binding.key] = binding.value
    return variables
