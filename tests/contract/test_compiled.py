"""What the compiler asks of the modules it compiles, where it would otherwise compile something else than they say."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_ROOMS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mindgate"]
COMPILED = [f"app/{room}/{name}.py" for room, names in _ROOMS["compiled"].items() for name in names]


def nodes_of(path: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))))


def is_struct(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(
        ast.unparse(base) in ("msgspec.Struct", "Struct") for base in node.bases
    )


@pytest.mark.parametrize("path", COMPILED)
def test_a_struct_stands_in_a_module_of_its_own(path):
    """Compiled, a class keeps neither the arguments behind its bases (frozen, omit_defaults) nor the insides of its
    annotations (`list[int]`), and msgspec reads both."""
    assert [node for node in nodes_of(path) if is_struct(node)] == []


@pytest.mark.parametrize("path", COMPILED)
def test_the_bounds_of_a_slice_change_nothing(path):
    """Compiled, they are evaluated twice where what is cut is neither bytes, str, list nor tuple."""
    names = ("len", "min", "max", "start", "end", "find", "first_run")
    bounds = [
        part
        for node in nodes_of(path)
        if isinstance(node, ast.Slice)
        for bound in (node.lower, node.upper)
        if bound is not None
        for part in ast.walk(bound)
    ]
    calls = [node for node in bounds if isinstance(node, ast.Call)]

    assert [ast.unparse(call) for call in calls if name_of(call.func) not in names] == []
    assert [node for node in bounds if isinstance(node, ast.NamedExpr | ast.Await)] == []


def name_of(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else ast.unparse(called)


def test_nothing_that_is_interpreted_derives_from_what_is_compiled():
    compiled = {path.removesuffix(".py").replace("/", ".") for path in COMPILED}
    bad = []
    for file in (ROOT / "app").rglob("*.py"):
        path = str(file.relative_to(ROOT))
        if path in COMPILED:
            continue
        nodes = nodes_of(path)
        taken = {name for name, module in modules_of(nodes).items() if module in compiled}
        bad += [
            f"{path}: {node.name}"
            for node in nodes
            if isinstance(node, ast.ClassDef)
            for base in node.bases
            if ast.unparse(base).partition("[")[0] in taken
        ]

    assert bad == []


# Of what the readers of bodies import: what goes over a few edits, or one event.
SHORT = {"app.protocol.splicing", "app.protocol.sse"}


def test_what_a_thread_does_with_a_large_body_is_not_compiled():
    """Compiled code lets no other thread run before it is through, the event loop's included (contract D9)."""
    todo = {"app.protocol.chat_answer"}  # handed over by another name
    for file in (ROOT / "app").rglob("*.py"):
        nodes = nodes_of(str(file.relative_to(ROOT)))
        modules = modules_of(nodes)
        todo |= {
            modules[argument.id]
            for node in nodes
            if isinstance(node, ast.Call) and name_of(node.func) in ("off_loop", "to_thread")
            for argument in node.args
            if isinstance(argument, ast.Name) and argument.id in modules
        }
    used: set[str] = set()
    while todo:
        used |= todo
        todo = {
            module
            for name in todo
            for module in modules_of(nodes_of(path_of(name))).values()
            if module.startswith("app.protocol.")
        } - used

    assert {"app.protocol.requests", "app.protocol.nesting", "app.protocol.utf8"} <= used
    assert {name for name in used if path_of(name) in COMPILED} == SHORT


def modules_of(nodes: list[ast.AST]) -> dict[str, str]:
    """Where each name comes from that is imported from a module, or is one."""
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                is_module = (ROOT / path_of(module)).is_file()
                found[alias.asname or alias.name] = module if is_module else node.module
    return found


def path_of(module: str) -> str:
    return f"{module.replace('.', '/')}.py"
