"""How much memory an object keeps alive, for promises about bounds."""

import gc
import sys
from types import BuiltinFunctionType, FunctionType, ModuleType, TracebackType
from typing import Any

READS_PER_WEIGHING = 8  # weighing costs more than reading
_SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType, TracebackType)


def held_bytes(root: Any) -> int:
    """The bytes of *root* and of all it leads to, each once; classes, modules, code and tracebacks not counted."""
    seen: set[int] = set()
    waiting = [root]
    total = 0
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, _SHARED):
            continue
        seen.add(id(found))
        total += sys.getsizeof(found)
        waiting += gc.get_referents(found)
    return total
