"""The command line as a person types it (architecture 5)."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from app.cli.main import app
from app.main.gateway import BUILD, VERSION

SECONDS = 20  # a deadline against a process that hangs, never a measure
COMMANDS = ("serve", "demo", "simulate", "check", "version")
MINDGATE = (sys.executable, "-c", "from app.cli.main import run; run()")


def environment(**more: str) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path.cwd()), "COLUMNS": "200"} | more


def done(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command, run in *folder* until it ends."""
    return subprocess.run(
        [*MINDGATE, *arguments],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


class Running:
    """A command that serves. *text*: what it printed until *until* was there."""

    def __init__(self, process: subprocess.Popen[str], until: str) -> None:
        self.process, self.text = process, ""
        assert process.stdout is not None
        while until not in self.text:
            line = process.stdout.readline()
            if not line:
                raise AssertionError(f"it ended: {self.text}")
            self.text += line

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def running(folder: Path, *arguments: str, until: str, **more: str) -> Iterator[Running]:
    with subprocess.Popen(
        [*MINDGATE, *arguments],
        cwd=folder,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield Running(process, until)
        finally:
            process.kill()


def test_help_names_every_command():
    shown = CliRunner().invoke(app, ["--help"])

    assert shown.exit_code == 0
    assert all(name in shown.output for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    shown = CliRunner().invoke(app, [command, "--help"])

    assert shown.exit_code == 0
    assert "Usage" in shown.output


def test_version_is_one_line():
    shown = CliRunner().invoke(app, ["version"])

    assert shown.output == f"mindgate {VERSION}, {BUILD}\n"


@pytest.mark.parametrize("arguments", [["nothing"], ["serve", "--port", "70000"], ["serve", "--x"]])
def test_what_nobody_knows_is_exit_2(arguments):
    assert CliRunner().invoke(app, arguments).exit_code == 2


BAD = [
    pytest.param("server: {prot: 8080}", "server.prot", id="a misspelt key"),
    pytest.param("server: {port: many}", "server.port", id="an impossible value"),
    pytest.param("upstreams: {minds: {api_key: '${NOT_SET_ANYWHERE}'}}", "NOT_SET_ANYWHERE", id="no variable"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "named"), BAD)
def test_serve_refuses_a_bad_file_in_one_line_with_exit_2(tmp_path, text, named):
    (tmp_path / "bad.yaml").write_text(text)

    ended = done(tmp_path, "serve", "--config", "bad.yaml", MINDS_API_KEY="up-0123456789abcdef")

    assert (2, "") == (ended.returncode, ended.stdout)
    (line,) = ended.stderr.splitlines()
    assert line.startswith("mindgate: ")
    assert "bad.yaml" in line
    assert named in line
    assert "Traceback" not in ended.stderr


def test_serve_without_anything_to_serve_says_what_to_do(tmp_path):
    ended = done(tmp_path, "serve")

    assert ended.returncode == 2
    assert "mindgate demo" in ended.stderr


def test_serve_on_a_port_that_is_taken_is_one_line_with_exit_2(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        ended = done(tmp_path, "serve", "--port", port, MINDS_API_KEY="up-0123456789abcdef")

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert port in ended.stderr


def test_check_of_a_bad_file_is_exit_1(tmp_path):
    (tmp_path / "bad.yaml").write_text("server: {prot: 8080}")

    ended = done(tmp_path, "check", "--config", "bad.yaml")

    assert ended.returncode == 1
    assert "server.prot" in ended.stderr


def test_demo_prints_what_can_be_copied_and_serves_it(tmp_path):
    with running(tmp_path, "demo", "--port", "0", until="Browse") as demo:
        url = re.search(r"base URL +(\S+)", demo.text)
        key = re.search(r"API key +(\S+)", demo.text)
        curls = [line for line in demo.text.splitlines() if line.startswith("curl ")]
        assert url is not None
        assert key is not None
        assert len(curls) == 4
        with httpx2.Client(headers={"authorization": f"Bearer {key[1]}"}) as client:
            for line in curls:
                model = re.search(r'"model": "([^"]+)"', line)
                assert model is not None
                assert url[1] in line
                assert key[1] in line
                body = {"model": model[1], "messages": [{"role": "user", "content": "Hello"}]}
                reply = client.post(f"{url[1]}/chat/completions", json=body)
                assert "Hello" in reply.json()["choices"][0]["message"]["content"]
            assert client.get(f"{url[1].removesuffix('/v1')}/docs").status_code == 200

        assert demo.stop(signal.SIGINT) == 0


def test_serve_with_one_key_in_the_environment_prints_a_curl_line(tmp_path):
    secret = "up-0123456789abcdef"
    more = {"MINDS_API_KEY": secret, "MINDGATE_UPSTREAMS__MINDS__BASE_URL": "http://127.0.0.1:9"}
    with running(tmp_path, "serve", "--port", "0", until="curl ", **more) as served:
        assert secret not in served.text
        assert served.stop(signal.SIGTERM) in (0, -signal.SIGTERM)


def test_simulate_serves_and_check_tells_good_from_bad(tmp_path):
    with running(tmp_path, "simulate", "--port", "0", until="openai") as simulated:
        origin = re.search(r"http://127\.0\.0\.1:\d+", simulated.text)
        assert origin is not None
        entry = (
            "upstreams: {{local: {{dialect: openai, base_url: '{url}/openai/v1', api_key: {key}}}}}"
        )
        for key, code in (("sim-openai", 0), ("wrong-0123456789", 1)):
            (tmp_path / "c.yaml").write_text(entry.format(url=origin[0], key=key))
            ended = done(tmp_path, "check", "--config", "c.yaml")
            assert (code, "") == (ended.returncode, ended.stderr), ended.stdout
            assert "local" in ended.stdout
            assert key not in ended.stdout

        assert simulated.stop(signal.SIGTERM) == 0
