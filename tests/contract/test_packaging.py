"""What an install costs and trusts: few packages, each by hash. What make does in a clone."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("runtime", "dev", "build", "compile")
MOST_PACKAGES = 40  # architecture, section 1

# A lock is these kinds of line and no other: no option, no address, no file.
HASH = re.compile(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?")
PIN = re.compile(r"[a-z0-9-]+(\[[a-z0-9,-]+\])?==[0-9][0-9a-z.+!]*( ; [^\\/:@]+)? \\")
COMMENT = re.compile(r" *#(pyproject\.toml|requirements/(runtime|dev)\.txt|[^./])*")

PLATFORMS = [
    {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": sys_platform,
        "platform_system": system,
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "os_name": "posix",
    }
    for python in ("3.11", "3.12", "3.13")
    for sys_platform, system, machine in (
        ("linux", "Linux", "x86_64"),
        ("linux", "Linux", "aarch64"),
        ("darwin", "Darwin", "x86_64"),
        ("darwin", "Darwin", "arm64"),
    )
]


def lock_lines(name: str) -> list[str]:
    return (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def pins(name: str) -> dict[str, Requirement]:
    found = [
        Requirement(line.removesuffix(" \\")) for line in lock_lines(name) if PIN.fullmatch(line)
    ]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_pins_and_hashes_and_nothing_that_names_a_place(name):
    strangers = [
        line
        for line in lock_lines(name)
        if not (HASH.fullmatch(line) or PIN.fullmatch(line) or COMMENT.fullmatch(line))
    ]

    assert strangers == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_the_hashes_of_its_files(name):
    lines = lock_lines(name)
    bare = [
        line
        for line, after in zip(lines, [*lines[1:], ""], strict=True)
        if PIN.fullmatch(line) and not HASH.fullmatch(after)
    ]

    assert pins(name)
    assert bare == []


@pytest.mark.parametrize(
    "platform",
    PLATFORMS,
    ids=lambda p: f"{p['python_version']}-{p['sys_platform']}-{p['platform_machine']}",
)
def test_the_core_install_stays_small(platform):
    installed = [
        name
        for name, pin in pins("runtime").items()
        if pin.marker is None or pin.marker.evaluate(platform)
    ]

    assert len(installed) <= MOST_PACKAGES


def test_the_decision_record_counts_the_packages_as_they_are():
    linux = [
        name
        for name, pin in pins("runtime").items()
        if pin.marker is None or pin.marker.evaluate(PLATFORMS[0])
    ]
    record = (ROOT / "docs/decisions/0001-dependencies.md").read_text(encoding="utf-8")

    assert f"**{len(linux)} packages**" in record


def test_tests_run_against_the_versions_that_users_install():
    runtime, dev = pins("runtime"), pins("dev")

    assert {name: str(pin) for name, pin in runtime.items()} == {
        name: str(dev.get(name)) for name in runtime
    }


def test_the_image_is_compiled_by_what_the_tests_are_compiled_by():
    compiling, dev = pins("compile"), pins("dev")

    assert {name: str(pin) for name, pin in compiling.items()} == {
        name: str(dev.get(name)) for name in compiling
    }


@pytest.mark.parametrize(
    ("lock", "declared"),
    [
        pytest.param("runtime", project()["project"]["dependencies"], id="runtime"),
        pytest.param("dev", project()["dependency-groups"]["dev"], id="dev"),
        pytest.param("dev", project()["project"]["optional-dependencies"]["http2"], id="http2"),
        pytest.param("build", project()["dependency-groups"]["build"], id="build group"),
        pytest.param("build", project()["build-system"]["requires"], id="build backend"),
        pytest.param("compile", project()["dependency-groups"]["compile"], id="compile group"),
    ],
)
def test_a_lock_answers_what_pyproject_asks(lock, declared):
    locked = pins(lock)

    def is_answered(requirement: Requirement) -> bool:
        pin = locked.get(canonicalize_name(requirement.name))
        return pin is not None and requirement.specifier.contains(
            str(pin.specifier).removeprefix("==")
        )

    asked = [line for line in declared if isinstance(line, str)]  # the rest includes a group

    assert [line for line in asked if not is_answered(Requirement(line))] == [], "run: make lock"


def libraries_used() -> set[str]:
    """What app/ imports, and the packages whose files it opens with importlib.resources."""
    used: set[str] = set()
    for path in (ROOT / "app").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        used.update(re.findall(r"""\bfiles\(["'](\w+)""", text))
        for node in ast.walk(ast.parse(text, str(path))):
            if isinstance(node, ast.Import):
                used.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                used.add(node.module.partition(".")[0])
    return used - set(sys.stdlib_module_names) - {"app"}


def test_everything_imported_is_declared():
    declared = {
        canonicalize_name(Requirement(line).name) for line in project()["project"]["dependencies"]
    }
    distributions = packages_distributions()

    undeclared = [
        library
        for library in sorted(libraries_used())
        if not declared & {canonicalize_name(name) for name in distributions.get(library, [])}
    ]
    assert undeclared == []


@pytest.mark.parametrize(
    "target",
    [
        "help",
        "install",
        "run",
        "compiled",
        "test",
        "test-compiled",
        "check",
        "format",
        "lock",
        "clean",
        "bench",
        "bench-peers",
        "fuzz",
    ],
)
def test_make_has_the_target_and_help_explains_it(target):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert re.search(rf"^{target}:.*## \w+", makefile, re.MULTILINE)
    assert re.search(rf"^\.PHONY:.*\b{target}\b", makefile, re.MULTILINE)


def test_the_readme_names_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert "make run" in readme
    assert "make test" in readme


def make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """make in *folder*, with nothing but *environment* set."""
    program = shutil.which("make")
    assert program
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run(
        [program, "--no-print-directory", *arguments],
        cwd=folder,
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


@pytest.fixture
def clone(tmp_path):
    """A clone whose set-up is done, with a command that says what it was told."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    (tmp_path / "config").mkdir()
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    for name in ("python", "mindgate"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    for step in ("runtime", "project", "dev"):
        (tmp_path / f".venv/.stamp-{step}").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("environment", "dotenv", "command"),
    [
        pytest.param({}, None, "demo", id="nothing at hand: the demo"),
        pytest.param(
            {"MINDS_API_KEY": "k"}, None, "serve", id="an upstream key in the environment"
        ),
        pytest.param({"MINDS_API_KEY": ""}, None, "demo", id="an empty key is no key"),
        pytest.param(
            {"MINDGATE_CONFIG": "x.yaml"}, None, "serve", id="a file named in the environment"
        ),
        pytest.param({}, "FOURMINDS_API_KEY=k", "serve", id="an upstream key in .env"),
        pytest.param(
            {}, 'export OPENMIND_API_KEY = "k"', "serve", id="quoted and exported in .env"
        ),
        pytest.param({}, "MINDGATE_CONFIG=x.yaml", "serve", id="a file named in .env"),
        pytest.param(
            {}, 'MINDS_API_KEY=""\nOPENMIND_API_KEY= # later\n', "demo", id="empty in .env"
        ),
        pytest.param(
            {},
            "# MINDS_API_KEY=k\nOLD_MINDS_API_KEY=k",
            "demo",
            id="neither a comment nor another name",
        ),
    ],
)
def test_make_run_serves_when_there_is_something_to_serve(clone, environment, dotenv, command):
    if dotenv is not None:
        (clone / ".env").write_text(dotenv, encoding="utf-8")

    ran = make(clone, "run", **environment)

    assert (ran.stdout, ran.stderr, ran.returncode) == (f"mindgate {command}\n", "", 0)


def test_the_example_environment_starts_the_demo_until_a_key_is_filled_in(clone):
    shutil.copy(ROOT / ".env.example", clone / ".env")

    assert make(clone, "run").stdout == "mindgate demo\n"


def test_make_run_serves_the_usual_file(clone):
    (clone / "config/mindgate.yaml").touch()

    assert make(clone, "run", "ARGS=--port 9000").stdout == "mindgate serve --port 9000\n"


@pytest.mark.parametrize(
    ("newer", "path"),
    [
        pytest.param([], "{clone}/.compiled/site", id="as the sources are"),
        pytest.param(["app/one.py"], "", id="a source is newer"),
        pytest.param(["pyproject.toml"], "", id="the list of what is compiled is newer"),
    ],
)
def test_make_run_takes_what_is_compiled_while_it_is_current(clone, newer, path):
    shutil.copy(ROOT / "setup.py", clone)
    (clone / "app").mkdir()
    (clone / "app/one.py").touch()
    (clone / ".compiled").mkdir()
    (clone / ".compiled/.stamp").touch()
    (clone / ".venv/bin/mindgate").write_text('#!/bin/sh\necho "$PYTHONPATH"\n', encoding="utf-8")
    made = (clone / ".compiled/.stamp").stat().st_mtime
    for name in newer:
        os.utime(clone / name, (made + 1, made + 1))
    if newer:
        os.utime(clone / ".venv/.stamp-project", (made + 2, made + 2))

    assert make(clone, "run").stdout == path.format(clone=clone) + "\n"


def test_a_changed_lock_is_installed_again_and_an_unchanged_one_is_not(clone):
    assert "python" not in make(clone, "install").stdout

    (clone / ".venv/.stamp-runtime").unlink()

    assert "python -m pip install" in make(clone, "install").stdout


def test_an_old_python_is_refused_in_one_line(clone):
    shutil.rmtree(clone / ".venv")

    ran = make(clone, "install", "PYTHON=false")

    assert ran.returncode != 0
    assert ran.stderr.splitlines()[0].startswith("Mindgate needs Python 3.11 or newer")
