"""What the commands print: a start that can be copied from, tables for people, one line for a refusal."""

from collections.abc import Sequence

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.domain.configuration import Configuration
from app.main.checking import UpstreamReport
from app.main.demo import EXAMPLE_MODELS
from app.simulators.keys import KEYS
from app.simulators.server import Simulators

_QUESTION = '[{"role": "user", "content": "Hello"}]'


def refuse(message: str) -> None:
    """One line on standard error."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(
        f"mindgate: {message}", markup=False
    )


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
    _print(lines)


def announce_demo(_: Configuration, base_url: str, made_key: SecretStr | None) -> None:
    """The base URL, the key, and a line to try for each upstream."""
    key = made_key.get_secret_value() if made_key is not None else ""
    lines = [
        "Mindgate demo: every upstream is simulated and nothing leaves this machine.",
        "",
        f"base URL  {base_url}",
        f"API key   {key}",
        "",
    ]
    lines += [_curl(base_url, key, model) for model in EXAMPLE_MODELS.values()]
    lines += ["", f"Browse the API at {base_url.removesuffix('/v1')}/docs. Stop with Ctrl-C."]
    _print(lines)


def announce_simulators(simulators: Simulators) -> None:
    """Where each simulated upstream is, and the key it takes."""
    _print(
        ["Simulated upstreams:"]
        + [f"  {name:9} {simulators.base_url(name):45} key {key}" for name, key in KEYS.items()]
    )


def show_check(configuration: Configuration, reports: Sequence[UpstreamReport]) -> None:
    """The table of `mindgate check`, then what is accepted and not yet enforced."""
    table = Table(title=f"Configuration: {configuration.source}", title_justify="left")
    for column in ("upstream", "dialect", "can", "models", "result"):
        table.add_column(column, overflow="fold")
    for report in reports:
        result = Text(report.fault or f"ok  {report.detail}", "red" if report.fault else "green")
        table.add_row(
            report.name,
            report.dialect,
            ", ".join(report.capabilities),
            str(report.models) if report.models else "",
            result,
        )
    console = Console(highlight=False)
    console.print(table)
    if configuration.not_enforced:
        console.print(
            f"Accepted but not yet enforced by this version: {', '.join(configuration.not_enforced)}",
            markup=False,
        )


def show_version(version: str) -> None:
    """The version, alone on its line."""
    _print([f"mindgate {version}"])


def _curl(base_url: str, key: str, model: str) -> str:
    body = f'{{"model": "{model}", "stream": true, "messages": {_QUESTION}}}'
    return (
        f"curl -N {base_url}/chat/completions -H 'Authorization: Bearer {key}' "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )


def _print(lines: Sequence[str]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for line in lines:
        console.print(line, markup=False)
