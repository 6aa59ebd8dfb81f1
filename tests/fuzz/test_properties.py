"""
What must hold for any bytes: with inputs that once broke it, with random ones, and for some seconds with the engine.

The engine explores for long in `make fuzz`; here it takes the same few thousand inputs each time.
"""

import os
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from tests.fuzz.inputs import MOST_SIZES, read_input, write_input
from tests.fuzz.properties import PROPERTIES
from tests.fuzz.seeds import SEEDS, dictionary, words, write_seeds

ROOT = Path(__file__).parents[2]
CRASHERS = sorted(Path(__file__).parent.glob("crashers/*/*"))
IS_CI = os.environ.get("CI") == "true"  # noqa: TID251 of the tests' own process

# The number decides; the time is for a slow machine, and either way the end is a good one.
BRIEF = ("-runs=2500", "-max_total_time=8", "-seed=1", "-max_len=2048")
NEVER_SECONDS = 60

steady = settings(deadline=None, max_examples=150, derandomize=True)
by_name = pytest.mark.parametrize("name", PROPERTIES)


def need_engine() -> None:
    """Skip without the engine; in CI, where it has a wheel, fail."""
    if find_spec("atheris") is not None:
        return
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = map(Requirement, project["dependency-groups"]["dev"])
    [marker] = [each.marker for each in wanted if each.name == "atheris"]
    if IS_CI and marker is not None and marker.evaluate():
        pytest.fail("CI runs the fuzzing engine, but it is not installed: make install")
    pytest.skip(f"NOT FUZZED: atheris is not here; it is installed where {marker}")


@by_name
@pytest.mark.timeout(NEVER_SECONDS + 30)
def test_the_engine_breaks_nothing_in_a_few_thousand_inputs(name, tmp_path):
    need_engine()
    write_seeds(name, tmp_path / "corpus")
    options = (
        f"-dict={dictionary(name)}",
        f"-artifact_prefix={tmp_path}/",
        str(tmp_path / "corpus"),
    )

    ran = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.engine", name, *BRIEF, *options],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "0", "PATH": ""},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=NEVER_SECONDS,
    )

    broke = [read_input(path.read_bytes()) for path in tmp_path.glob("*-*") if path.is_file()]
    assert (broke, ran.returncode) == ([], 0), ran.stderr[-6000:]
    assert "Done" in ran.stderr


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=f"{path.parent.name}: {path.name.replace('-', ' ')}")
        for path in CRASHERS
    ],
)
def test_a_kept_crasher_breaks_nothing_any_more(path):
    PROPERTIES[path.parent.name](path.read_bytes())


@by_name
def test_every_recorded_stream_keeps_what_must_hold(name):
    for seed in SEEDS[name]:
        PROPERTIES[name](seed)


@st.composite
def altered_seeds(draw: st.DrawFn, name: str) -> bytes:
    """A recorded stream with words put in or over it, in any reads, under any options."""
    data = read_input(draw(st.sampled_from(SEEDS[name]))).data
    for _ in range(draw(st.integers(0, 4))):
        place, gone = draw(st.integers(0, len(data))), draw(st.sampled_from((0, 0, 1, 3, 30)))
        word = draw(st.sampled_from(words(name)) | st.binary(max_size=4))
        data = data[:place] + word + data[place + gone :]
    sizes = draw(st.lists(st.integers(0, 255), max_size=MOST_SIZES))
    return write_input(data, sizes, draw(st.integers(0, 255)))


@by_name
def test_altered_streams_keep_what_must_hold(name):
    @steady
    @given(altered_seeds(name))
    def holds(raw: bytes) -> None:
        PROPERTIES[name](raw)

    holds()


def test_an_input_means_bytes_reads_and_options():
    sent = read_input(write_input(b"abcdefg", (2, 0, 3), 0b101))

    assert sent.reads == [b"ab", b"", b"cde", b"fg"]
    assert [sent.has(bit) for bit in range(4)] == [True, False, True, False]


@pytest.mark.parametrize("raw", [b"", b"a", b"\0\0", b"\xff\xff", b"ab\x0f\0", b"abc\0\0\x02\0"])
def test_any_input_means_all_its_bytes_once(raw):
    sent = read_input(raw)

    assert b"".join(sent.reads) == sent.data
    assert raw.startswith(sent.data)


@by_name
def test_every_property_has_seeds_and_words(name):
    assert SEEDS[name]
    assert words(name)
