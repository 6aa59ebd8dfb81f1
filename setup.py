"""
A wheel with its data plane compiled: `COMPILE=1 pip wheel --no-build-isolation .` (docs/decisions/0018).

Without COMPILE the wheel is pure Python, and needs neither mypy nor a C compiler.
"""

import os
import tomllib
from pathlib import Path

from setuptools import Extension, setup

# gcc looks through 50 MB of generated lines for misleading indentation, for half of the build's time; and what a newer
# compiler finds in them to warn of is no reason to stop.
_FLAGS = ("-Wno-misleading-indentation", "-Wno-error", "-fno-semantic-interposition")


def data_plane() -> list[Extension]:
    """What is compiled: the modules of tool.mindgate.compiled, into one library."""
    from mypyc.build import mypycify  # noqa: PLC0415  a pure wheel is built without it

    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    rooms = project["tool"]["mindgate"]["compiled"].items()
    files = [f"app/{room}/{name}.py" for room, names in rooms for name in names]
    found = mypycify(files, opt_level="2", debug_level="0", group_name="mindgate")
    for extension in found:
        extension.extra_compile_args = [*extension.extra_compile_args, *_FLAGS]
    return found


setup(ext_modules=data_plane() if os.environ.get("COMPILE") else [])
