"""
The process in which atheris feeds one property: `python -m tests.fuzz.engine PROPERTY [flag of libFuzzer | corpus]...`

It ends when a flag says so, or with a traceback and exit code 77 at the first input that breaks the property. Imported
by nobody: the modules under test must be imported below, by the import hook that adds the counting of branches.
"""

import sys

import atheris

with atheris.instrument_imports(include=["app"]):
    from tests.fuzz.properties import PROPERTIES

if __name__ == "__main__":
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, PROPERTIES[name])
    atheris.Fuzz()
