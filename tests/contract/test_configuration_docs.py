"""docs/configuration.md and the example file say what the schema says, no more and no less."""

import json
import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from app.config.environment import FILE_SUFFIX, SECRET_VARIABLES, UPSTREAM_VARIABLES
from app.config.loading import load_configuration
from app.config.schema_tree import dotted, secret_settings, settings
from app.config.upstream_schema import DIALECT_FIELDS
from app.domain.configuration import Configuration

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "configuration.md"
EXAMPLE = ROOT / "config" / "mindgate.example.yaml"
UPSTREAM_KEYS = {name: f"{name.lower()}-5d41402abc4b" for name in UPSTREAM_VARIABLES.values()}

ROW = re.compile(r"^\| `([a-z][^`|]*)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)
VARIABLE_ROW = re.compile(r"^\| `([A-Z_]+)` \| ([^|]*) \|$", re.MULTILINE)
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def rows():
    """Each line of the settings tables: key → type, default, meaning."""
    return {key: line for key, *line in ROW.findall(PAGE.read_text(encoding="utf-8"))}


def leaves() -> dict[str, FieldInfo]:
    """The settings that hold a value, not a section."""
    places = dict(settings())
    return {
        dotted(place): field
        for place, field in places.items()
        if not any(other[: len(place)] == place and other != place for other in places)
    }


def written(default: object) -> str:
    if default is None:
        return "–"
    if default is PydanticUndefined:
        return "needed"
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, str):
        return f"`{default}`"
    return f"`{json.dumps(default)}`"


def test_every_setting_has_its_line_and_every_line_its_setting(rows):
    assert set(leaves()) == set(rows)


def test_every_default_is_the_schemas(rows):
    stated = {key: default for key, (_, default, _) in rows.items()}
    defaults = {
        key: written(field.get_default(call_default_factory=True))
        for key, field in leaves().items()
    }

    assert defaults == stated


def test_every_secret_is_marked(rows):
    marked = {key for key, (kind, _, _) in rows.items() if "secret" in kind}

    assert {
        dotted(place).removesuffix(".NAME").removesuffix("[]") for place in secret_settings()
    } == marked


def test_every_field_of_one_dialect_says_whose_it_is(rows):
    said = {
        key.removeprefix("upstreams.NAME.").partition(".")[0]: match[1]
        for key, (_, _, meaning) in rows.items()
        if (match := re.match(r"Dialect `([^`]+)`", meaning))
    }

    assert said == DIALECT_FIELDS


def test_what_is_not_enforced_yet_is_marked(rows):
    marked = {key for key, line in rows.items() if "**not enforced yet" in line[2].lower()}

    assert marked == {"models.NAME.policy", "models.NAME.deployments[].weight", "redis.url"}


def test_every_variable_has_its_line_and_every_line_its_variable():
    stated = [name for name, _ in VARIABLE_ROW.findall(PAGE.read_text(encoding="utf-8"))]
    known = [
        "MINDGATE_CONFIG",
        *SECRET_VARIABLES,
        *(name + FILE_SUFFIX for name in SECRET_VARIABLES),
    ]

    assert sorted(known) == sorted(stated)


BLOCKS = [
    pytest.param(block, id=f"{path.name} block {n}")
    for path in (PAGE, ROOT / "README.md")
    if path.exists()
    for n, block in enumerate(BLOCK.findall(path.read_text(encoding="utf-8")), start=1)
]


def load(folder: Path, text: str) -> Configuration:
    """What *text* means where each variable and each secret's file that it names is there."""
    secrets = {name: f"{name.lower()}-9f86d081884c" for name in re.findall(r"\$\{(\w+)\}", text)}
    for path in re.findall(r"file:([\w./-]+)", text):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"{path}-2c26b46b68ffc68ff99b453c1d304134", encoding="utf-8")
    (folder / "mindgate.yaml").write_text(text, encoding="utf-8")
    return load_configuration(
        config_file=folder / "mindgate.yaml",
        environment={**secrets, **UPSTREAM_KEYS},
        dotenv=None,
    )


@pytest.mark.parametrize("text", BLOCKS)
def test_a_block_of_the_documentation_loads(tmp_path, text):
    assert load(tmp_path, text).upstreams


def test_the_example_file_loads_with_the_three_keys_set(tmp_path):
    loaded = load_configuration(config_file=EXAMPLE, environment=UPSTREAM_KEYS, dotenv=None)

    assert ["4minds", "minds", "openmind"] == [upstream.name for upstream in loaded.upstreams]
    assert () == loaded.not_enforced


def test_what_the_example_file_has_switched_off_loads_too(tmp_path):
    text = re.sub(
        r"^( *)#(?=[^ \n])", r"\1", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    loaded = load(tmp_path, text)

    assert "local" in [upstream.name for upstream in loaded.upstreams]
    assert ["ci", "notebook"] == [key.name for key in loaded.keys]
    assert {
        "models.smart.policy",
        "models.smart.weight",
        "redis.url",
    } == {*loaded.not_enforced}


def test_the_example_file_names_every_section():
    text = EXAMPLE.read_text(encoding="utf-8")
    sections = [place[0] for place, _ in settings() if len(place) == 1]

    assert [] == [s for s in sections if not re.search(rf"^#?{s}:", text, re.MULTILINE)]
