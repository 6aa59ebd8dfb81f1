"""Pages taken apart and put together again (contract M4 to M8, D4; upstreams F5, G1)."""

import pytest

from app.domain.errors import InvalidRequest
from app.protocol.lists import (
    NoList,
    PageRequest,
    chosen,
    completed,
    id_of,
    read_page,
    read_page_request,
    with_bare_model,
    with_members,
)


def test_a_page_has_its_items_as_they_came_and_their_ids_as_text():
    page = read_page(b'{"data":[{"id":"a", "n":1.10},{"id":1234},{"x":1},7,{"id":[]}]}')

    assert [b'{"id":"a", "n":1.10}', b'{"id":1234}', b'{"x":1}', b"7", b'{"id":[]}'] == page.items
    assert ["a", "1234", "", "", ""] == page.ids


@pytest.mark.parametrize(
    ("member", "said"),
    [(b"true", True), (b"false", False), (b"null", None), (b'"x"', None)],
)
def test_whether_there_is_more_is_what_it_says(member: bytes, said: bool | None):
    assert said is read_page(b'{"data":[],"has_more":%b}' % member).has_more


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"data":{}}', b'{"data":null}', b"<html>", b'{"data":[}', b"1"]
)
def test_what_is_no_list_is_told(text: bytes):
    with pytest.raises(NoList):
        read_page(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"data":[]}', b'{"data":[],"has_more":false,"first_id":null,"last_id":null}'),
        (
            b' { "data" : [{"id":"a"}] , "x":1E5 }\n',
            b' { "data" : [{"id":"a"}] , "x":1E5 ,"has_more":false,"first_id":"a","last_id":"a"}\n',
        ),
        (
            b'{"has_more":null,"data":[],"first_id":"kept","last_id":null}',
            b'{"has_more":false,"data":[],"first_id":"kept","last_id":null}',
        ),
        (
            b'{"x":1,"x":2,"data":[]}',
            b'{"x":1,"x":2,"data":[],"has_more":false,"first_id":null,"last_id":null}',
        ),
    ],
)
def test_m5_m6_what_is_missing_is_added_and_the_rest_stays(text: bytes, expected: bytes):
    page = read_page(text)

    assert expected == completed(page, page.items, has_ends=True)


def test_a_repaired_item_stands_in_its_place():
    page = read_page(b'{"data":[{"id":"a"}, {"id":"b"}],"has_more":true}')

    assert completed(page, [page.items[0], b'{"id":"b","x":1}'], has_ends=False) == (
        b'{"data":[{"id":"a"},{"id":"b","x":1}],"has_more":true}'
    )


def test_chosen_items_make_a_page_of_their_own():
    assert chosen([b'{"id":"b"}'], ["b"], has_more=True, has_ends=True) == (
        b'{"object":"list","data":[{"id":"b"}],"first_id":"b","last_id":"b","has_more":true}'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"{}", b'{"a":1}'), (b'{"b":"}"}', b'{"b":"}","a":1}'), (b"{ }\n", b'{ "a":1}\n')],
)
def test_members_are_added_behind_its_own(text: bytes, expected: bytes):
    assert expected == with_members(text, {"a": b"1"})


@pytest.mark.parametrize(
    ("item", "found"),
    [(b'{"id":"a"}', "a"), (b'{"id":7}', "7"), (b"{}", ""), (b"x", ""), (b'{"id":null}', "")],
)
def test_an_id_is_read_as_text(item: bytes, found: str):
    assert found == id_of(item)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", PageRequest(20, False, "", "")),
        ("limit=5&after=a%2Fb&x=1", PageRequest(5, True, "a/b", "x=1")),
        ("li%6dit=5&a%66ter=a&metadata%5Bk%5D=v", PageRequest(5, True, "a", "metadata%5Bk%5D=v")),
        ("limit=1000", PageRequest(100, True, "", "")),
        ("limit=-1&limit=0", PageRequest(1, True, "", "")),
    ],
)
def test_m8_what_a_query_asks_for(query: str, asked: PageRequest):
    assert asked == read_page_request(query, usual=20, most=100)


def test_a_limit_that_is_no_number_is_refused():
    with pytest.raises(InvalidRequest):
        read_page_request("limit=x", usual=20, most=100)


def test_a_page_is_asked_of_an_upstream_with_a_limit_of_ours():
    asked = read_page_request("purpose=x&limit=2&after=old", usual=20, most=100)

    assert asked.query(limit=100, after="a/b") == "limit=100&after=a%2Fb&purpose=x"
    assert asked.query(limit=None, after="") == "purpose=x"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("model=4minds/m&a=b%20c", "model=m&a=b%20c"),
        ("model=4minds%2FGemma-12B%20AWQ", "model=Gemma-12B%20AWQ"),
        ("model=minds/m", "model=minds/m"),
        ("a=model", "a=model"),
        ("", ""),
    ],
)
def test_f5_only_the_upstream_s_own_prefix_is_cut(query: str, expected: str):
    assert expected == with_bare_model(query, "4minds")
