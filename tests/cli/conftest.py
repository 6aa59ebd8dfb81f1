"""A command as a person types it, beside an admin API that answers."""

from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner, Result

from app.cli.main import app
from tests.cli.fake_admin_api import ADMIN_KEY, FakeAdminApi, served

Command = Callable[..., Result]


@pytest.fixture
def api() -> Iterator[FakeAdminApi]:
    with served(FakeAdminApi()) as fake:
        yield fake


@pytest.fixture
def command(api, tmp_path, monkeypatch) -> Command:
    """`mindgate …` on *api*, with the right key, in an empty folder. Its output is piped, so nothing is coloured."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        where = ("--url", api.url)
        return CliRunner().invoke(app, [*arguments, *where], env={"MINDGATE_ADMIN_KEY": ADMIN_KEY})

    return run
