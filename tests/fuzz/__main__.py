"""
Fuzzing for long: `make fuzz`, `make fuzz ARGS="chat_stream -max_total_time=3600"`.

Arguments are properties, all when none is named, and flags of libFuzzer. What was learnt stays in
`.fuzz/<property>/corpus` and is gone on from next time; an input that broke the property is left beside it.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.inputs import read_input
from tests.fuzz.properties import PROPERTIES
from tests.fuzz.seeds import dictionary, write_seeds

ROOT = Path(__file__).parents[2]
FOLDER = Path(".fuzz")
# Ten minutes each; an input that takes 20 s, or a gigabyte, is a finding too. The last of two equal flags counts.
FLAGS = ("-max_total_time=600", "-max_len=4096", "-timeout=20", "-rss_limit_mb=1024")
CRASHERS = Path("tests/fuzz/crashers")


def main(arguments: list[str]) -> int:
    """0 when every property held."""
    if find_spec("atheris") is None:
        sys.stderr.write(
            "atheris has no wheel for this Python or this system: see pyproject.toml.\n"
        )
        return 2
    flags = [argument for argument in arguments if argument.startswith("-")]
    names = [argument for argument in arguments if not argument.startswith("-")]
    unknown = set(names) - PROPERTIES.keys()
    if unknown:
        sys.stderr.write(
            f"No such property: {', '.join(unknown)}. Known: {', '.join(PROPERTIES)}.\n"
        )
        return 2
    outcomes = [held(name, flags) for name in names or PROPERTIES]  # each, whatever the first finds
    return int(not all(outcomes))


def held(name: str, flags: list[str]) -> bool:
    """Whether the engine found nothing; what it found, now or before, is told with the way to a test."""
    home = FOLDER / name
    write_seeds(name, home / "seeds")
    (home / "corpus").mkdir(exist_ok=True)
    command = [
        *(sys.executable, "-m", "tests.fuzz.engine", name, *FLAGS, *flags),
        *(f"-dict={dictionary(name)}", f"-artifact_prefix={home}/"),
        *(str(home / "corpus"), str(home / "seeds")),
    ]
    ended = subprocess.run(command, cwd=ROOT, check=False)
    for found in sorted(home.glob("*-*")):
        sent = read_input(found.read_bytes())
        sys.stdout.write(
            f"\n{name} does not hold: {found}\n  reads {sent.reads}\n  options {sent.options:#010b}\n"
            "To keep it as a test, give it the name of what went wrong:\n"
            f"  mkdir -p {CRASHERS / name} && mv {found} {CRASHERS / name}/what-went-wrong\n"
            '  make test ARGS="-k crasher"\n'
        )
    return ended.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
