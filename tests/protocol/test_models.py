"""One list in three dialects (contract K1, K4 to K7)."""

import json

import pytest

from app.protocol.models import (
    ModelEntry,
    anthropic_model_list,
    anthropic_model_object,
    deleted,
    model_list,
    model_object,
)

FIRST = ModelEntry("gpt-4o", 1747577755, "openmind/openai")
LAST = ModelEntry("Gemma-12B AWQ", 0, "4minds")


def test_k1_the_list_has_four_fields_for_each_model():
    page = json.loads(model_list([FIRST, LAST]))

    assert page == {
        "object": "list",
        "data": [
            {
                "id": "gpt-4o",
                "object": "model",
                "created": 1747577755,
                "owned_by": "openmind/openai",
            },
            {"id": "Gemma-12B AWQ", "object": "model", "created": 0, "owned_by": "4minds"},
        ],
    }


def test_k1_an_empty_list_is_a_list():
    assert json.loads(model_list([])) == {"object": "list", "data": []}


def test_k4_codex_finds_an_empty_models_beside_data():
    page = json.loads(model_list([FIRST], codex=True))

    assert page["models"] == []
    assert [row["id"] for row in page["data"]] == ["gpt-4o"]


def test_k4_others_do_not_see_models():
    assert "models" not in json.loads(model_list([FIRST]))


def test_k5_anthropics_list_has_iso_dates_and_its_ends():
    page = json.loads(anthropic_model_list(iter([FIRST, LAST])))

    assert page == {
        "data": [
            {
                "type": "model",
                "id": "gpt-4o",
                "display_name": "gpt-4o",
                "created_at": "2025-05-18T14:15:55Z",
            },
            {
                "type": "model",
                "id": "Gemma-12B AWQ",
                "display_name": "Gemma-12B AWQ",
                "created_at": "1970-01-01T00:00:00Z",
            },
        ],
        "has_more": False,
        "first_id": "gpt-4o",
        "last_id": "Gemma-12B AWQ",
    }


def test_k5_an_empty_list_has_no_ends():
    page = json.loads(anthropic_model_list([]))

    assert page == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@pytest.mark.parametrize(
    ("created", "shown"),
    [
        pytest.param(-1, "1970-01-01T00:00:00Z", id="before 1970 is unknown"),
        pytest.param(2**53, "9999-12-31T23:59:59Z", id="after the last year is the last second"),
    ],
)
def test_k5_an_odd_date_does_not_crash(created, shown):
    found = json.loads(anthropic_model_object(ModelEntry("m", created, "o")))

    assert found["created_at"] == shown


def test_k6_one_model_is_a_row_of_the_list():
    assert json.loads(model_object(FIRST)) == json.loads(model_list([FIRST]))["data"][0]


def test_k7_a_deletion_is_confirmed():
    assert json.loads(deleted("m")) == {"id": "m", "object": "model", "deleted": True}
