"""What `serve` prints: a start that can be copied from, and one line for a refusal."""

from collections.abc import Iterable

import typer
from pydantic import SecretStr

from app.domain.configuration import Configuration


def refuse(message: str) -> None:
    """One line on standard error."""
    typer.echo(f"mindgate: {message}", err=True)


def announce_gateway(
    configuration: Configuration, base_url: str, made_key: SecretStr | None
) -> None:
    """What a person needs to send the first request. A configured key is never printed, one made just now is."""
    lines = [f"Mindgate serves {base_url} ({', '.join(e.name for e in configuration.upstreams)})"]
    if configuration.not_enforced:
        lines.append(f"Not yet enforced by this version: {', '.join(configuration.not_enforced)}")
    if configuration.auth_mode == "none":
        lines.append("auth.mode is none: whoever reaches this address may use it.")
    if made_key is not None:
        key = made_key.get_secret_value()
        lines += [
            f"Key (made for this machine; put your own under `keys:` to replace it): {key}",
            "",
            f"curl {base_url}/models -H 'Authorization: Bearer {key}'",
        ]
    show(lines)


def show(lines: Iterable[str]) -> None:
    """*lines* on standard output."""
    for line in lines:
        typer.echo(line)
