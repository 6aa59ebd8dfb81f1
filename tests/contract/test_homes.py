"""
Which room may import which library.

import-linter holds the floors between our own rooms; this table holds what comes from outside.
It is read from the syntax tree, so that an import inside a function counts too.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"

# A library that is not here has no home: adding one is a decision (docs/decisions/0001).
HOMES: dict[str, set[str]] = {
    "fastapi": {"api", "main"},
    "fastapi_swagger": {"api"},
    "starlette": {"api", "console", "main"},
    "uvicorn": {"edge", "main", "cli"},
    "uvloop": {"edge", "main", "cli"},
    "httptools": {"wire", "edge"},
    "websockets": {"wire", "simulators"},
    "httpx2": {"upstreams", "cli"},
    "httpcore2": {"upstreams"},
    "msgspec": {
        *("protocol", "upstreams", "storage", "telemetry", "routing", "access", "limits", "usage"),
        *("domain", "proxy", "edge", "api"),
    },
    "pydantic": {"config", "api"},
    "pydantic_core": {"config", "api"},
    "pydantic_settings": {"config"},
    "dotenv": {"config"},
    "yaml": {"config"},
    "sqlalchemy": {"storage"},
    "aiosqlite": {"storage"},
    "asyncpg": {"storage"},
    "alembic": {"storage"},
    "prometheus_client": {"telemetry"},
    "structlog": {"telemetry"},
    "typer": {"cli"},
    "rich": {"cli"},
}

# Names that the standard library has in a later Python.
EVERYWHERE = {"typing_extensions"}

# Single names that any room may have: a secret stays wrapped on its whole way.
TRAVELLERS = {("pydantic", "SecretStr")}

# Reliability S21: nothing turns bytes into code, and nothing starts a program.
NOWHERE = {
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "subprocess",
    "multiprocessing",
    "pty",
    "code",
    "ctypes",
}


class Import(NamedTuple):
    """One imported name: `from LIBRARY.x import NAME`, or NAME "" for a bare `import LIBRARY`."""

    room: str
    library: str
    name: str
    where: str


def read_imports(room: str, path: str, text: str) -> Iterator[Import]:
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(room, alias.name.partition(".")[0], "", f"{path}:{node.lineno}")
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            library = (node.module or "").partition(".")[0]
            for alias in node.names:
                yield Import(room, library, alias.name, f"{path}:{node.lineno}")
        elif isinstance(node, ast.Call) and (library := package_of_files(node)):
            yield Import(room, library, "", f"{path}:{node.lineno}")


def package_of_files(call: ast.Call) -> str:
    """The package whose files `importlib.resources.files("…")` opens; "" for any other call."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name == "files" and call.args and isinstance(call.args[0], ast.Constant):
        return str(call.args[0].value).partition(".")[0]
    return ""


def all_imports() -> list[Import]:
    return [
        found
        for path in sorted(APP.rglob("*.py"))
        for found in read_imports(
            path.relative_to(APP).parts[0],
            path.relative_to(ROOT).as_posix(),
            path.read_text(encoding="utf-8"),
        )
    ]


def is_at_home(found: Import) -> bool:
    if found.library in {"app", *EVERYWHERE, *sys.stdlib_module_names}:
        return True
    if (found.library, found.name) in TRAVELLERS:
        return True
    return found.room in HOMES.get(found.library, set())


def test_every_library_is_imported_only_at_home():
    strays = [f"{found.where} {found.library}" for found in all_imports() if not is_at_home(found)]

    assert strays == []


def test_nothing_turns_bytes_into_code_or_starts_a_program():
    strays = [
        f"{found.where} {found.library}" for found in all_imports() if found.library in NOWHERE
    ]

    assert strays == []


def test_an_import_inside_a_function_counts_and_so_do_a_package_s_files():
    source = (
        "def f():\n    import httpx2\n    from pydantic import BaseModel, SecretStr\n"
        "    return files('rich')\n"
    )

    strays = [
        found.name or found.library
        for found in read_imports("domain", "x", source)
        if not is_at_home(found)
    ]

    assert sorted(strays) == ["BaseModel", "httpx2", "rich"]
