"""The size of a good day: no file, function or drawer that nobody wants to open."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"

MODULE_LINES = 400
FUNCTION_LINES = 60
DRAWERS = {
    "util",
    "utils",
    "helper",
    "helpers",
    "common",
    "base",
    "manager",
    "managers",
    "core",
    "misc",
}

# A file or function that is truly clearer when long: its path, or path::function, and the reason.
EXCEPTIONS: dict[str, str] = {}


def modules() -> Iterator[tuple[str, str]]:
    """Path below the repository and text of every module of the product."""
    for path in sorted(APP.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From `def` to the last line, the docstring included."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_a_module_is_one_reading():
    lengths = {path: len(text.splitlines()) for path, text in modules()}

    assert {
        path: lines
        for path, lines in lengths.items()
        if lines > MODULE_LINES and path not in EXCEPTIONS
    } == {}


def test_a_function_fits_on_a_screen():
    too_long = [
        (f"{path}::{function.name}", lines_of(function))
        for path, text in modules()
        for function in functions(ast.parse(text, path))
        if lines_of(function) > FUNCTION_LINES
    ]

    assert [found for found in too_long if found[0] not in EXCEPTIONS] == []


def test_every_exception_is_still_there():
    names = {path for path, _ in modules()} | {
        f"{path}::{function.name}"
        for path, text in modules()
        for function in functions(ast.parse(text, path))
    }

    assert set(EXCEPTIONS) <= names


def test_nothing_is_left_for_later():
    marks = ("TO" + "DO", "FIX" + "ME", "X" * 3)
    sources = [
        path for folder in ("app", "tests") for path in sorted((ROOT / folder).rglob("*.py"))
    ]

    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if any(mark in line for mark in marks)
    ]
    assert found == []


def test_no_module_is_a_drawer():
    names = {path: set(Path(path).with_suffix("").parts) for path, _ in modules()}

    assert [path for path, parts in names.items() if parts & DRAWERS] == []


def test_a_package_says_what_it_is_for_and_nothing_else():
    def is_only_a_docstring(path: str, text: str) -> bool:
        tree = ast.parse(text, path)
        return len(tree.body) == 1 and ast.get_docstring(tree) is not None

    inits = {path: text for path, text in modules() if path.endswith("/__init__.py")}

    assert inits
    assert [path for path, text in inits.items() if not is_only_a_docstring(path, text)] == []


def test_every_folder_with_modules_is_a_package():
    folders = {path.parent for path in APP.rglob("*.py")}

    assert [
        str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()
    ] == []
