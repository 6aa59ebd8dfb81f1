"""How the tests of this room write a file and an environment and read them as one configuration."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from app.config.loading import load_configuration
from app.domain.configuration import Configuration

KEY = "mg-4f9c2e7ab01d88e6"
OTHER_KEY = "mg-77a0c1d2e3f4b5a6"
LOCAL = "upstreams: {local: {base_url: 'http://127.0.0.1:11434/v1'}}\n"


def load(
    folder: Path,
    text: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    dotenv: str | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Configuration:
    """The configuration of a file mindgate.yaml with *text*, of *environment* and of a .env with *dotenv*."""
    file = folder / "mindgate.yaml" if text is not None else None
    if file is not None:
        file.write_text(dedent(text or ""), encoding="utf-8")
    if dotenv is not None:
        (folder / ".env").write_text(dotenv, encoding="utf-8")
    return load_configuration(
        config_file=file,
        environment=environment or {},
        dotenv=folder / ".env",
        overrides=overrides,
    )
