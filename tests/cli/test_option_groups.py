"""A dataclass of options stands in a command as these options."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from app.cli.option_groups import expanded


@dataclass(frozen=True, slots=True)
class Colours:
    front: Annotated[str | None, typer.Option("--front", help="In front.")] = None
    back: Annotated[int, typer.Option("--back", envvar="BACK")] = 7


def made() -> tuple[typer.Typer, list[object]]:
    app, seen = typer.Typer(), list[object]()

    @app.command()
    @expanded
    def paint(
        name: Annotated[str, typer.Argument()],
        colours: Colours,
        fast: Annotated[bool, typer.Option("--fast")] = False,
    ) -> None:
        """Paint it."""
        seen.append((name, colours, fast))

    return app, seen


def test_its_fields_are_options_with_their_defaults():
    app, seen = made()

    assert CliRunner().invoke(app, ["wall"]).exit_code == 0
    assert (
        CliRunner().invoke(app, ["wall", "--fast", "--front", "red", "--back", "1"]).exit_code == 0
    )
    assert seen == [("wall", Colours(), False), ("wall", Colours("red", 1), True)]


def test_an_option_keeps_its_variable_its_type_and_its_help():
    app, seen = made()

    CliRunner().invoke(app, ["wall"], env={"BACK": "3"})
    assert seen == [("wall", Colours(None, 3), False)]
    assert CliRunner().invoke(app, ["wall", "--back", "x"]).exit_code == 2
    shown = CliRunner().invoke(app, ["--help"]).output
    assert "In front." in shown
    assert "Paint it." in shown
