"""The commands' way to the admin API, and what goes wrong on it."""

import inspect
import json

import httpx2
import pytest

from app.cli.admin_client import _FAULTS, AdminClient, AdminError, path_of


def client(answer) -> AdminClient:
    transport = httpx2.MockTransport(answer)
    return AdminClient(
        httpx2.AsyncClient(transport=transport, base_url="http://g"), place="http://g"
    )


def pages_of(sizes: list[int]):
    """Answers `len(sizes)` pages, and remembers the queries."""
    asked: list[dict[str, str]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(dict(request.url.params))
        n = len(asked)
        rows = [{"id": f"{n}.{k}"} for k in range(sizes[n - 1])]
        page = {"object": "list", "data": rows, "has_more": n < len(sizes), "last_id": f"{n}"}
        return httpx2.Response(200, json=page)

    return client(answer), asked


async def test_every_page_is_asked_for_behind_the_last():
    asks, asked = pages_of([2, 2, 1])
    found = await asks.listing("/keys", {"team": "t"})

    assert [row["id"] for row in found["data"]] == ["1.0", "1.1", "2.0", "2.1", "3.0"]
    assert not found["has_more"]
    assert [query.get("after") for query in asked] == [None, "1", "2"]
    assert all(query["team"] == "t" for query in asked)


async def test_no_more_rows_are_asked_for_than_wanted():
    asks, asked = pages_of([100, 50, 1])
    found = await asks.listing("/records", at_most=150)

    assert len(found["data"]) == 150
    assert [query["limit"] for query in asked] == ["100", "50"]


async def test_a_page_without_rows_ends_the_list_whatever_it_says():
    asks, asked = pages_of([0, 1])

    assert (await asks.listing("/keys"))["data"] == []
    assert len(asked) == 1


async def test_a_body_is_json_of_whole_characters_even_where_the_command_line_had_none():
    sent = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, json={})

    await client(answer).row("POST", "/keys", body={"name": "\udcff"})

    assert sent[0].url.path == "/admin/v1/keys"
    assert sent[0].headers["content-type"] == "application/json"
    assert json.loads(sent[0].content) == {"name": "\udcff"}


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        pytest.param(
            httpx2.Response(400, json={"error": {"message": "Unknown parameter: 'x'."}}),
            "Unknown parameter: 'x'.",
            id="the API's own words",
        ),
        pytest.param(
            httpx2.Response(502, text="<html>bad gateway"),
            "http://g answered 502, and not as Mindgate's admin API does",
            id="another server's page",
        ),
        pytest.param(
            httpx2.Response(200, text="hello"),
            "http://g answered 200, and not as Mindgate's admin API does",
            id="no JSON",
        ),
        pytest.param(
            httpx2.Response(200, json=[1]),
            "http://g answered 200, and not as Mindgate's admin API does",
            id="JSON that is no object",
        ),
        pytest.param(
            httpx2.Response(302, headers={"location": "http://elsewhere"}),
            "http://g answered 302, and not as Mindgate's admin API does",
            id="a redirect is not followed",
        ),
        pytest.param(
            httpx2.Response(400, json={"error": "no"}),
            "http://g answered 400, and not as Mindgate's admin API does",
            id="another shape of error",
        ),
    ],
)
async def test_a_refusal_is_the_apis_message_or_says_that_it_is_not_the_api(reply, message):
    with pytest.raises(AdminError) as refused:
        await client(lambda _: reply).row("GET", "/keys")

    assert message == str(refused.value)
    assert reply.status_code == refused.value.status


def public_errors() -> list[type[Exception]]:
    found = [getattr(httpx2, name) for name in dir(httpx2) if not name.startswith("_")]
    return [one for one in found if inspect.isclass(one) and issubclass(one, Exception)]


# Of streams and statuses, which this client does not use.
NOT_MET = {
    *("HTTPStatusError", "StreamError", "StreamConsumed", "StreamClosed"),
    *("ResponseNotRead", "RequestNotRead", "SSEError"),
}


def test_every_error_of_the_library_has_its_words():
    kinds = tuple(kind for kind, _ in _FAULTS)

    assert public_errors()
    assert [
        one.__name__
        for one in public_errors()
        if not issubclass(one, kinds) and one.__name__ not in NOT_MET
    ] == []


async def test_what_cannot_be_reached_is_one_line():
    def fail(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("[Errno 111] Connection refused", request=request)

    with pytest.raises(AdminError, match=r"^http://g cannot be reached; is it running"):
        await client(fail).row("GET", "/keys")


@pytest.mark.parametrize(
    ("thing", "path"),
    [
        ("key_1", "/keys/key_1"),
        ("../teams", "/keys/..%2Fteams"),
        ("a?b#c", "/keys/a%3Fb%23c"),
        ("\udcff", "/keys/%FF"),
    ],
)
def test_an_id_stays_one_segment(thing, path):
    assert path == path_of("/keys", thing)


@pytest.mark.parametrize("thing", ["", ".", ".."])
def test_what_would_be_another_path_is_no_id(thing):
    with pytest.raises(AdminError, match="is no id"):
        path_of("/keys", thing)
