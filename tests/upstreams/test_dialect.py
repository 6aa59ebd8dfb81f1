"""The four rows against upstreams.md: capabilities (section 2), claims (architecture 5), places (section 1)."""

import pytest

from app.upstreams.capabilities import SERVED, dialects_with
from app.upstreams.dialect import DIALECTS

NOWHERE = ("-", "-", "-", "-")
MATRIX = {  # upstreams.md, section 2, as far as this release goes: 4minds, minds, openmind, openai
    "chat.create": ("native", "map", "map", "native"),
    "chat.stored": ("native", "-", "-", "native"),
    "models.list": ("native", "map", "local", "native"),
    "models.get": ("native", "map", "local", "native"),
    "models.delete": ("native", "-", "-", "native"),
    "completions": NOWHERE,
    "responses": NOWHERE,
    "messages": NOWHERE,
    "embeddings": ("-", "-", "-", "native"),
    "audio.speech": ("-", "-", "map", "native"),
    "audio.transcriptions": ("-", "-", "map", "native"),
    "realtime.transcription": NOWHERE,
    "realtime.conversation": NOWHERE,
    "files": ("native", "-", "-", "native"),
    "files.content": ("-", "-", "-", "native"),
    "fine_tuning": ("native", "-", "-", "native"),
    "fine_tuning.more": ("-", "-", "-", "native"),
    "fine_tune_categories": ("native", "-", "-", "-"),
    "datasets": ("native", "-", "-", "-"),
    "external_models": ("native", "-", "-", "-"),
    "families": ("-", "-", "-", "native"),
    "other": NOWHERE,
}
CLAIMS = {
    "4minds": {"4minds-*"},
    "minds": set(),
    "openmind": {"gpt-*", "o1*", "o3*", "o4*", "deepseek-*", "gemini-*", "grok-*"},
    "openai": set(),
}


def test_there_are_four_each_under_its_own_name():
    assert ["4minds", "minds", "openmind", "openai"] == list(DIALECTS)
    assert all(name == row.name for name, row in DIALECTS.items())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_row_has_the_cells_of_its_column(dialect):
    column = list(DIALECTS).index(dialect)

    assert {name: cells[column] for name, cells in MATRIX.items()} == dict(
        DIALECTS[dialect].capabilities
    )


def test_what_is_served_is_what_some_dialect_has():
    assert {name for name, cells in MATRIX.items() if cells != NOWHERE} == SERVED


@pytest.mark.parametrize(
    ("capability", "dialects"),
    [
        ("files", ("4minds", "openai")),
        ("datasets", ("4minds",)),
        ("responses", ()),
        ("no.such", ()),
    ],
)
def test_who_has_a_capability(capability, dialects):
    assert dialects == dialects_with(capability)


def test_g8_only_openmind_claims_more_on_audio_routes():
    assert [name for name, row in DIALECTS.items() if row.audio_claims] == ["openmind"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_a_dialect_claims(dialect):
    assert CLAIMS[dialect] == set(DIALECTS[dialect].claims)


@pytest.mark.parametrize(
    ("dialect", "base_url"),
    [
        ("4minds", "https://api.4minds.ai/v1"),
        ("minds", None),
        ("openmind", "https://api.openmind.org/api/core"),
        ("openai", None),
    ],
)
def test_where_a_dialect_is(dialect, base_url):
    assert base_url == DIALECTS[dialect].base_url


def test_only_the_generic_dialect_gets_openais_own_headers():
    assert [name for name, row in DIALECTS.items() if row.openai_headers] == ["openai"]


@pytest.mark.parametrize(
    ("field", "of"),
    [
        ("path_providers", ["openmind"]),
        ("ignores_case", ["minds"]),
        ("developer_role", ["minds", "openmind"]),
        ("max_tokens_name", ["minds"]),
        ("drops_when_true", ["minds", "openmind"]),
    ],
)
def test_who_differs_from_the_usual(field, of):
    usual = getattr(DIALECTS["openai"], field)

    assert of == [name for name, row in DIALECTS.items() if getattr(row, field) != usual]
