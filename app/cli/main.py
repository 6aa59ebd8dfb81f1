"""
`mindgate`: serve, demo, simulate, check, version (architecture 5), each a call into `app.main`; and the commands on the
admin API, which stand in `app.cli.administration`.

What `serve` does not need, a command imports itself: a gateway starts without simulators and tables.
"""

import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from typer.core import TyperGroup
from typing_extensions import override

from app.cli import presentation
from app.domain.configuration import ServerOptions
from app.domain.errors import ConfigurationError
from app.main import gateway, loading, serving

# Those of app.cli.administration, in the order of the help.
ADMINISTRATION = ("keys", "teams", "usage", "records", "limits", "prices", "audit")


class CommandLine(TyperGroup):
    """All commands; those on the admin API are imported when one is typed, and never to serve."""

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *ADMINISTRATION]

    @override
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in ADMINISTRATION:
            return super().get_command(ctx, cmd_name)
        from app.cli import administration  # noqa: PLC0415 what these commands alone need

        return administration.make_commands()[cmd_name]


app = typer.Typer(
    name="mindgate",
    cls=CommandLine,
    help="One OpenAI-compatible endpoint for 4minds, Minds, OpenMind and whatever else speaks OpenAI's API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", help="The YAML file; else MINDGATE_CONFIG, else config/mindgate.yaml."
    ),
]
HostOption = Annotated[str | None, typer.Option("--host", help="The address to listen on.")]
PortOption = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65535, help="The port to listen on; 0 takes a free one."),
]


def run() -> None:
    """The entry point: a configuration that cannot be served is one line on standard error and exit code 2."""
    try:
        app()
    except ConfigurationError as error:
        presentation.refuse(str(error))
        sys.exit(2)


@app.command()
def serve(config: ConfigOption = None, host: HostOption = None, port: PortOption = None) -> None:
    """Serve the configured upstreams.

    FOURMINDS_API_KEY, MINDS_API_KEY and OPENMIND_API_KEY are enough; a file adds everything else.
    """
    configuration = loading.load(config, host=host, port=port)
    _run(serving.serve(configuration, presentation.announce_gateway))


@app.command("demo")
def serve_demo(port: PortOption = None) -> None:
    """Serve the gateway with simulated upstreams: no key, no file, nothing real."""
    from app.cli import simulated  # noqa: PLC0415 what this command alone needs
    from app.main import demo  # noqa: PLC0415 likewise

    options = ServerOptions() if port is None else ServerOptions(port=port)
    _run(demo.serve_demo(options, simulated.announce_demo))


@app.command()
def simulate(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, help="The port to listen on; 0 takes a free one."),
    ] = 8081,
) -> None:
    """Serve the simulated upstreams alone."""
    from app.cli import simulated  # noqa: PLC0415 what this command alone needs
    from app.main import simulating  # noqa: PLC0415 likewise

    _run(simulating.simulate(host, port, simulated.announce_simulators))


@app.command()
def check(config: ConfigOption = None) -> None:
    """Validate the configuration and ask each upstream; exit 1 on a fault."""
    from app.cli import check_table  # noqa: PLC0415 what this command alone needs
    from app.main import checking  # noqa: PLC0415 likewise

    try:
        configuration = loading.load(config)
    except ConfigurationError as error:
        presentation.refuse(str(error))
        raise typer.Exit(1) from None
    reports = uvloop.run(checking.check_upstreams(configuration))
    check_table.show_check(configuration, reports)
    if any(report.fault for report in reports):
        raise typer.Exit(1)


@app.command()
def version() -> None:
    """Print the version, and whether the data plane is compiled."""
    presentation.show([f"mindgate {gateway.VERSION}, {gateway.BUILD}"])


def _run(serving_forever: Coroutine[object, object, None]) -> None:
    """Runs until a signal ends it. Ctrl-C is a way to stop, not an accident."""
    try:
        uvloop.run(serving_forever)
    except KeyboardInterrupt:
        sys.exit(0)
