"""Whatever stands in file and environment: a configuration, or one line that says why not (reliability S31)."""

import json
from collections.abc import Mapping
from pathlib import Path

from hypothesis import HealthCheck, given
from hypothesis import settings as run
from hypothesis import strategies as st

from app.config.schema_tree import settings
from app.config.variables import variable_name
from app.domain.errors import ConfigurationError
from tests.config.settings_from import load

WORDS = sorted({step for place, _ in settings() for step in place if isinstance(step, str)})
TEXTS = st.sampled_from(
    [
        "minds",
        "openmind/gpt-4o",
        "http://127.0.0.1:1",
        "${",
        "${A}",
        "file:x",
        "a",
        "",
        "*",
        "[::1]",
    ]
)
VALUES = st.none() | st.booleans() | st.integers(-2, 70_000) | st.floats() | TEXTS | st.text()
TREES = st.recursive(
    VALUES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | TEXTS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
SECTIONS = st.dictionaries(
    st.sampled_from([place[0] for place, _ in settings() if len(place) == 1]), TREES, max_size=4
)
VARIABLES = st.dictionaries(
    st.sampled_from([variable_name(place) for place, _ in settings()])
    | st.text("ABC_", max_size=6).map("MINDGATE_".__add__),
    st.text(max_size=6) | TREES.map(json.dumps),
    max_size=3,
)
# Each example writes its own file into the one folder; nothing is left of the one before.
ANY = run(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def outcome(folder: Path, text: str, environment: Mapping[str, str]) -> str:
    """Nothing, when the input means something; else the refusal."""
    try:
        load(folder, text, environment={"OPENMIND_API_KEY": "ok", "A": "b", **environment})
    except ConfigurationError as error:
        return str(error)
    return ""


@ANY
@given(tree=SECTIONS | TREES, environment=VARIABLES)
def test_any_tree(folder, tree, environment):
    line = outcome(folder, json.dumps(tree), environment)

    assert line.isprintable()


@ANY
@given(text=st.text(alphabet=st.sampled_from("ab:-{}[]\"'#&*!|>%@?,\n\t ${}\\é\x00")))
def test_any_text(folder, text):
    line = outcome(folder, text, {})

    assert "\n" not in line
