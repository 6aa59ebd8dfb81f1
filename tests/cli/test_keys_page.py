"""The page on keys: every command that stands there runs, in its order."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

from typer.testing import CliRunner

from app.cli.admin_options import LimitFields
from app.cli.main import app
from tests.cli.fake_admin_api import ADMIN_KEY

PAGE = (Path(__file__).parents[2] / "docs/keys-and-access.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
VARIABLES = {"MINDS_API_KEY": "up-0123456789abcdef", "MINDGATE_ADMIN_KEY": ADMIN_KEY}


def test_every_command_of_the_page_runs(api, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    api.lists["/limits"] = []
    key_id = ""
    for line in COMMANDS:
        name, *arguments = shlex.split(line)
        known = {"KEY_ID": key_id, "http://127.0.0.1:8080": api.url}
        arguments = [known.get(one, one) for one in arguments]
        ran = CliRunner().invoke(app, arguments, env=VARIABLES)
        key_id = next(iter(re.findall(r"key_\w+", ran.stderr)), key_id)

        assert (line, "mindgate", 0, "") == (line, name, ran.exit_code, ran.stderr * ran.exit_code)
        assert ran.stdout

    assert len(COMMANDS) > 10


def test_every_limit_has_its_line():
    options = {f"--{field.name.replace('_', '-')}" for field in fields(LimitFields)}

    assert options == set(re.findall(r"`(--[\w-]+)`", PAGE.split("| option")[1].split("\n\n")[0]))
