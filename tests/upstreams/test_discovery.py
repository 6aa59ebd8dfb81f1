"""An upstream's model list, read into entries (upstreams 4.5, F1; contract K1, K3)."""

import json
import random
from typing import Any

import pytest

from app.upstreams.discovery import DiscoveredModel, parse_model, parse_models

LONG_AGO = 1723027831  # Wed, 07 Aug 2024 10:50:31 GMT


def parsed(value: Any, dialect: str = "minds", upstream: str = "up") -> tuple[DiscoveredModel, ...]:
    return parse_models(json.dumps(value).encode(), dialect=dialect, upstream=upstream)


def ids(value: Any, dialect: str = "minds") -> list[str]:
    return [model.id for model in parsed(value, dialect)]


@pytest.mark.parametrize("dialect", ["4minds", "openai"])
def test_f1_openais_list_gives_its_entries(dialect):
    listed = {
        "object": "list",
        "data": [
            {"id": "4minds-model-123", "object": "model", "created": 1740830400, "owned_by": "me"},
            {"id": "Gemma-12B AWQ", "object": "model"},
        ],
    }

    assert parsed(listed, dialect) == (
        DiscoveredModel("4minds-model-123", 1740830400, "me"),
        DiscoveredModel("Gemma-12B AWQ", 0, "up"),
    )


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param([{"name": "sales"}], id="4.5: a bare array (minds-docs)"),
        pytest.param({"minds": [{"name": "sales"}], "total": 1}, id="4.5: under minds (minds-1.9)"),
        pytest.param(
            {"object": "list", "data": [{"id": "sales"}]}, id="4.5: under data (minds-inf)"
        ),
        pytest.param([{"id": "7", "name": "sales"}], id="4.5: the name comes before the id"),
        pytest.param([{"id": "sales", "name": None}], id="4.5: without a name, the id"),
    ],
)
def test_a_mind_is_a_model_in_each_form(listed):
    assert parsed(listed) == (DiscoveredModel("sales", 0, "minds"),)


@pytest.mark.parametrize(
    ("row", "is_listed"),
    [
        pytest.param({"embedding": True}, False, id="4.5: an embedding model is no Mind"),
        pytest.param({"enabled": False}, False, id="4.5: a disabled one is not offered"),
        pytest.param({"embedding": False, "enabled": True}, True, id="a usual one is"),
        pytest.param({"embedding": None, "enabled": None}, True, id="nulls say nothing"),
    ],
)
def test_a_mind_that_cannot_chat_is_left_out(row, is_listed):
    assert ids([{"name": "sales"} | row]) == (["sales"] if is_listed else [])


def test_other_dialects_have_no_such_flags():
    assert ids([{"id": "m", "enabled": False}], "openai") == ["m"]


@pytest.mark.parametrize(
    ("row", "created"),
    [
        pytest.param({"created_at": "Wed, 07 Aug 2024 10:50:31 GMT"}, LONG_AGO, id="4.5: RFC 1123"),
        pytest.param(
            {"created_at": "Wed, 07 Aug 2024 12:50:31 +0200"}, LONG_AGO, id="RFC 1123 with a zone"
        ),
        pytest.param({"created_at": "2024-08-07T10:50:31Z"}, LONG_AGO, id="4.5: ISO 8601"),
        pytest.param(
            {"created_at": "2024-08-07T12:50:31.25+02:00"}, LONG_AGO, id="ISO with a zone"
        ),
        pytest.param(
            {"created_at": "2024-08-07 10:50:31"}, LONG_AGO, id="ISO without a zone is UTC"
        ),
        pytest.param({"created": LONG_AGO}, LONG_AGO, id="4.5: an integer"),
        pytest.param({"created": LONG_AGO + 0.9}, LONG_AGO, id="K1: always an integer"),
        pytest.param({"created": str(LONG_AGO)}, LONG_AGO, id="an integer as text"),
        pytest.param(
            {"created_at": "soon", "created": LONG_AGO}, LONG_AGO, id="the first that can be read"
        ),
        pytest.param({"created_at": None}, 0, id="K1: null is 0"),
        pytest.param({}, 0, id="K1: nothing is 0"),
        pytest.param({"created": True}, 0, id="a truth is no date"),
        pytest.param({"created": -5}, 0, id="nor is a negative number"),
        pytest.param({"created": 1e300}, 0, id="nor one no client can hold"),
        pytest.param({"created": [1]}, 0, id="nor a list"),
        pytest.param({"created_at": "9999-99-99"}, 0, id="nor an impossible one"),
        pytest.param({"created_at": "nan"}, 0, id="nor what is no number"),
    ],
)
def test_k1_a_date_is_whole_seconds_or_0(row, created):
    (model,) = parsed([{"name": "sales"} | row])

    assert model.created == created
    assert type(model.created) is int


@pytest.mark.parametrize("owner", [None, "", 7, {"a": 1}, "two\nlines"])
def test_k3_an_odd_owner_is_the_upstream(owner):
    (model,) = parsed([{"id": "m", "owned_by": owner}], "openai")

    assert model.owned_by == "up"


def test_k3_each_id_stands_once_and_the_first_counts():
    listed = {"data": [{"id": "b", "created": 1}, {"id": "a"}, {"id": "b", "created": 2}]}

    assert parsed(listed, "openai") == (
        DiscoveredModel("b", 1, "up"),
        DiscoveredModel("a", 0, "up"),
    )


def test_rows_that_are_no_models_are_left_out():
    rows: list[Any] = [
        None,
        7,
        "m",
        [],
        {},
        {"id": None},
        {"id": 7},
        {"id": ""},
        {"id": "x\x00y"},
        {"id": "x" * 600},
        {"id": "m"},
    ]

    assert ids({"data": rows}, "openai") == ["m"]


@pytest.mark.parametrize(
    "listed", [[], {"data": []}, {"minds": [], "total": 0}, [{"name": "a", "enabled": False}]]
)
def test_an_empty_list_is_a_list(listed):
    assert parsed(listed) == ()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "the answer is no JSON", id="nothing"),
        pytest.param(b"<html>secret</html>", "the answer is no JSON", id="HTML"),
        pytest.param(b'{"data":[', "the answer is no JSON", id="cut JSON"),
        pytest.param(b"[" * 5000, "the answer is no JSON", id="endless nesting"),
        pytest.param(
            b'{"error":{"message":"secret"}}', "the answer has no list under 'data'", id="an error"
        ),
        pytest.param(
            b'{"data":{}}',
            "the answer has no list under 'data'",
            id="an object in place of the list",
        ),
        pytest.param(b"7", "the answer has no list under 'data'", id="a number"),
        pytest.param(
            b'{"data":[{"object":"model"}]}',
            "no entry of the list has a name",
            id="entries without names",
        ),
    ],
)
def test_what_is_no_list_is_an_error_that_quotes_nothing(body, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        parse_models(body, dialect="openai", upstream="up")

    assert "secret" not in str(caught.value)


# --- one model ------------------------------------------------------------------------------------------------------


def test_m3_one_mind_is_a_model():
    body = b'{"name":"sales","model_name":"gpt-4o","created_at":"2024-08-07T10:50:31Z","datasources":[]}'

    assert parse_model(body, dialect="minds", upstream="up") == DiscoveredModel(
        "sales", LONG_AGO, "minds"
    )


def test_f2_one_model_is_as_in_the_list():
    body = b'{"id":"4minds-model-123","object":"model","created":1,"owned_by":"me"}'

    assert parse_model(body, dialect="4minds", upstream="up") == DiscoveredModel(
        "4minds-model-123", 1, "me"
    )


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id":null}', b"7", b"<html>"])
def test_what_is_no_model_is_an_error(body):
    with pytest.raises(ValueError, match="the answer"):
        parse_model(body, dialect="minds", upstream="up")


@pytest.mark.parametrize("seed", range(20))
def test_no_bytes_raise_anything_else(seed):
    chance = random.Random(seed)
    whole = b'{"minds":[{"name":"a","created_at":"Wed, 07 Aug 2024 10:50:31 GMT"},{"id":"b","created":17e3}],"data":[]}'
    for _ in range(300):
        broken = bytearray(whole)
        for _ in range(chance.randrange(1, 5)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try:
            models = parse_models(
                bytes(broken), dialect=chance.choice(["minds", "openai"]), upstream="up"
            )
        except ValueError:
            continue

        assert all(model.id and type(model.created) is int for model in models), (
            seed,
            bytes(broken),
        )
