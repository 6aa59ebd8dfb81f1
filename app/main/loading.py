"""The configuration for a command, its flags on top. The command line itself never imports `app.config`."""

from pathlib import Path

from app.config.loading import load_configuration
from app.domain.configuration import Configuration


def load(
    config_file: Path | None,
    *,
    host: str | None = None,
    port: int | None = None,
    to_serve: bool = True,
) -> Configuration:
    """What environment, file and flags say together. *to_serve* False: for a command on what is kept, which needs no
    upstream. Raises ConfigurationError."""
    flags = {"server.host": host, "server.port": port}
    return load_configuration(
        config_file=config_file,
        overrides={key: value for key, value in flags.items() if value is not None},
        to_serve=to_serve,
    )
