"""
Lists of stored objects, over upstreams that page and upstreams that do not (contract M5 to M8; upstreams 3.2, F5;
reliability S16).
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typing_extensions import override

from app.domain.principal import Principal
from app.domain.stored_objects import ObjectKind, ObjectName
from app.protocol.headers import HeaderList
from app.proxy.json_asking import JsonAsking
from app.proxy.resource_lists import MOST_PAGES
from app.proxy.resources import ResourceDesk
from app.upstreams.client import UpstreamRequest
from tests.fakes.calls import Office, Served
from tests.fakes.registers import EVERYTHING, OTHER_TEAM, OWN_TEAM, TEAM_MATE
from tests.fakes.senders import FakeResponse, FakeSender, answer

KINDS: dict[str, ObjectKind] = {
    "files": "file",
    "fine_tuning/jobs": "job",
    "chat/completions": "completion",
    "datasets": "dataset",
}


@dataclass(frozen=True)
class Habits:
    """How an upstream pages. *most*: of a page, whatever is asked for."""

    heeds_limit: bool = True
    heeds_after: bool = True
    says_more: bool = True
    most: int = 100


OPENAIS = Habits()
SEEDS = Habits(heeds_limit=False, heeds_after=False, says_more=False)  # upstreams 3.2
HABITS = [
    pytest.param(OPENAIS, id="as OpenAI"),
    pytest.param(SEEDS, id="everything each time"),
    pytest.param(Habits(says_more=False), id="no has_more"),
    pytest.param(Habits(heeds_limit=False), id="limit not heeded"),
    pytest.param(Habits(most=3), id="small pages"),
    pytest.param(Habits(most=3, says_more=False), id="small pages, no has_more"),
]


class Listing(FakeSender):
    """Answers each question with the page that its query asks for."""

    def __init__(self, ids: list[str], habits: Habits) -> None:
        super().__init__()
        self._ids, self._habits = ids, habits

    @override
    async def send(self, request: UpstreamRequest) -> FakeResponse:
        asked = parse_qs(urlsplit(request.head.url).query)
        ids, habits = self._ids, self._habits
        after = asked.get("after", [""])[0]
        if habits.heeds_after and after:
            ids = ids[ids.index(after) + 1 :] if after in ids else []
        if habits.heeds_limit:
            ids = ids[: min(int(asked.get("limit", ["20"])[0]), habits.most)]
        page: dict[str, Any] = {"object": "list", "data": [{"id": one} for one in ids]}
        if habits.says_more:
            page["has_more"] = bool(ids) and ids[-1] != self._ids[-1]
        self._script.append(answer(json.dumps(page).encode()))
        return await super().send(request)


def office_of(ids: list[str], habits: Habits) -> Office:
    office = Office.of(names=("4minds",))
    office.senders["4minds"] = Listing(ids, habits)
    return office


def desk_of(office: Office) -> ResourceDesk:
    return ResourceDesk(
        office.upstreams,
        office.table,
        JsonAsking(office.attempts, office.clock),
        office.register,
        rights=office.rights,
        billing=office.billing,
        on_model=lambda: None,
    )


async def served(office: Office, line: str, principal: Principal = EVERYTHING) -> Served:
    return await office.serve(desk_of(office).serve, office.call(line, principal))


async def pages(
    office: Office,
    path: str,
    limit: int,
    principal: Principal,
    desk: ResourceDesk | None = None,
) -> list[list[str]]:
    """What the Python SDK gets: it asks behind the last id for as long as there is more and something came."""
    desk = desk or desk_of(office)
    found: list[list[str]] = []
    after = ""
    while len(found) < 50:
        call = office.call(f"GET /v1/{path}?limit={limit}{after}", principal)
        page = json.loads((await office.serve(desk.serve, call)).body)
        found.append([one["id"] for one in page["data"]])
        if not page["has_more"] or not page["data"]:
            return found
        after = f"&after={found[-1][-1]}"
    raise AssertionError("paged for ever")


IDS = [f"o-{number:02}" for number in range(20)]
MINE = IDS[1::3]  # 7 of 20


@pytest.mark.parametrize(
    ("path", "habits"),
    [
        pytest.param(path, *habits.values, id=f"{path}: {habits.id}")
        for path in KINDS
        for habits in (
            HABITS if path != "datasets" else HABITS[:-1]
        )  # F19: no limit is known there
    ],
)
async def test_s16_own_pages_are_full_and_whole_and_hold_nobody_else_s(path: str, habits: Habits):
    office = office_of(IDS, habits)
    office.made(OWN_TEAM, KINDS[path], *MINE)
    office.made(OTHER_TEAM, KINDS[path], *IDS[::3])

    found = await pages(office, path, 3, TEAM_MATE)

    assert [MINE[:3], MINE[3:6], MINE[6:]] == found


@pytest.mark.parametrize("habits", HABITS)
async def test_nobody_pages_for_ever_and_everything_comes_once(habits: Habits):
    found = await pages(office_of(IDS, habits), "fine_tuning/jobs", 3, EVERYTHING)

    seen = [one for page in found for one in page]
    # Where an upstream says nothing of more and heeds the limit, there is no telling that there is more.
    is_cut_short = not habits.says_more and habits.heeds_limit
    assert seen == (IDS[:3] if is_cut_short else IDS)


@pytest.mark.parametrize("habits", HABITS)
@pytest.mark.parametrize("principal", [OWN_TEAM, EVERYTHING], ids=lambda p: p.name)
async def test_m7_an_unknown_after_never_brings_page_one(principal: Principal, habits: Habits):
    office = office_of(IDS, habits)
    office.made(OWN_TEAM, "file", *MINE)

    one = await served(office, "GET /v1/files?after=no-such", principal)

    if one.client.status == 200:
        assert (False, []) == (json.loads(one.body)["has_more"], json.loads(one.body)["data"])
    else:
        assert one.client.status == 404


async def test_s16_an_after_of_another_team_s_is_404_and_nobody_is_asked():
    office = office_of(IDS, OPENAIS)
    office.made(OTHER_TEAM, "file", IDS[3])

    one = await served(office, f"GET /v1/files?after={IDS[3]}", OWN_TEAM)

    assert (404, "after") == (one.client.status, json.loads(one.body)["error"]["param"])
    assert office.asked() == []


async def test_an_empty_list_has_null_ends():
    one = await served(office_of(IDS, OPENAIS), "GET /v1/files", OWN_TEAM)

    assert json.loads(one.body) == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


async def test_an_own_page_says_nothing_of_the_others_not_even_how_many():
    office = Office.of(
        answer(b'{"object":"list","data":[{"id":"a"},{"id":"b"}],"total":2,"has_more":false}')
    )
    office.made(OWN_TEAM, "job", "b")

    one = await served(office, "GET /v1/fine_tuning/jobs", OWN_TEAM)

    assert {"object", "data", "has_more"} == set(json.loads(one.body))
    assert b'"a"' not in one.body


async def test_an_item_keeps_its_bytes_and_a_number_may_be_an_id():
    item = b'{"id": 1234, "score":1.10, "name":"\\u00e4"}'
    office = Office.of(answer(b'{"object":"list","data":[{"id":7},%b]}' % item))
    office.made(OWN_TEAM, "dataset", "1234")

    one = await served(office, "GET /v1/datasets", OWN_TEAM)

    assert one.body == b'{"object":"list","data":[%b],"has_more":false}' % item


async def test_what_is_found_is_bounded_and_more_is_told():
    ids = [f"o-{number}" for number in range(100 * (MOST_PAGES + 1))]
    office = office_of(ids, OPENAIS)
    office.made(OWN_TEAM, "job", ids[0])

    one = await served(office, "GET /v1/fine_tuning/jobs", OWN_TEAM)

    found = json.loads(one.body)
    assert ([ids[0]], True) == ([row["id"] for row in found["data"]], found["has_more"])
    assert len(office.asked()) == MOST_PAGES


async def test_a_list_that_does_not_page_is_asked_once_when_that_is_known():
    office = office_of(IDS, SEEDS)
    office.made(OWN_TEAM, "file", *MINE)
    desk, asked = desk_of(office), []
    for _ in range(3):
        assert [MINE] == await pages(office, "files", 100, OWN_TEAM, desk)
        asked.append(len(office.asked()))

    assert asked == [2, 3, 4]


@pytest.mark.parametrize(
    ("path", "ends"),
    [
        ("files", {"first_id": "a", "last_id": "b"}),
        ("chat/completions", {"first_id": "a", "last_id": "b"}),
        ("chat/completions/c/messages", {"first_id": "a", "last_id": "b"}),
        ("fine_tuning/jobs", {}),
    ],
)
async def test_m5_m6_what_a_page_lacks_is_spliced_in(path: str, ends: dict[str, str]):
    page = b'{ "object":"list", "data" : [{"id":"a","n":1.10},{"id":"b"}] }'

    one = await served(Office.of(answer(page)), f"GET /v1/{path}")

    found = json.loads(one.body)
    assert {"has_more": False, **ends} == {
        name: value for name, value in found.items() if name not in ("object", "data")
    }
    assert b'"n":1.10' in one.body
    if path != "fine_tuning/jobs" and path != "files":
        assert one.body.startswith(page[:-1].rstrip())


async def test_a_page_that_has_all_passes_byte_for_byte():
    page = b'{"data": [ {"id":"a"} ], "has_more": true, "first_id":"a", "last_id":"a", "x":1E5}'

    one = await served(Office.of(answer(page)), "GET /v1/chat/completions")

    assert page == one.body


async def test_m5_a_null_has_more_is_none():
    one = await served(
        Office.of(answer(b'{"data":[],"has_more":null}')), "GET /v1/fine_tuning/jobs"
    )

    assert one.body == b'{"data":[],"has_more":false}'


async def test_m2_the_jobs_of_a_list_are_whole():
    page = b'{"data":[{"id":"a","seed":7}]}'

    one = await served(Office.of(answer(page)), "GET /v1/fine_tuning/jobs")

    [job] = json.loads(one.body)["data"]
    assert (7, "fine_tuning.job", []) == (job["seed"], job["object"], job["result_files"])


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        pytest.param("model=4minds%2F4minds-7&x=1", "model=4minds-7&x=1", id="F5: un-prefixed"),
        pytest.param("model=4minds/a%20b", "model=a%20b", id="F5: raw"),
        pytest.param("model=gpt-4o", "model=gpt-4o", id="any other as it came"),
        pytest.param("metadata%5Bk%5D=v&order=desc", "metadata%5Bk%5D=v&order=desc", id="M8"),
        pytest.param("limit=5&after=a&purpose=x", "limit=5&after=a&purpose=x", id="raw"),
    ],
)
async def test_the_query_passes(query: str, sent: str):
    office = Office.of(answer(b'{"data":[],"has_more":false}'))

    await served(office, f"GET /v1/chat/completions?{query}")

    assert [f"GET https://api.4minds.ai/v1/chat/completions?{sent}"] == office.asked()


async def test_the_rest_of_the_query_passes_for_own_pages_too():
    office = Office.of(answer(b'{"data":[],"has_more":false}'))

    await served(office, "GET /v1/files?limit=2&purpose=fine-tune&limit=9&order=asc", OWN_TEAM)

    [asked] = office.asked()
    assert asked.endswith("/files?limit=1000&purpose=fine-tune&order=asc")


@pytest.mark.parametrize(
    ("limit", "count"), [("0", 1), ("-3", 1), ("7", 7), ("500", 100), ("", 20), ("9" * 19, 100)]
)
async def test_m8_a_limit_is_clamped(limit: str, count: int):
    ids = [f"o-{number}" for number in range(150)]
    office = office_of(ids, OPENAIS)
    office.made(OWN_TEAM, "job", *ids)

    one = await served(office, f"GET /v1/fine_tuning/jobs?limit={limit}", OWN_TEAM)

    assert count == len(json.loads(one.body)["data"])
    assert json.loads(one.body)["has_more"]


@pytest.mark.parametrize("limit", ["x", "1.5", "1e3", "٣", "9" * 30])
async def test_a_limit_that_is_no_number_is_400(limit: str):
    office = office_of(IDS, OPENAIS)

    one = await served(office, f"GET /v1/fine_tuning/jobs?limit={limit}", OWN_TEAM)

    assert (400, "limit") == (one.client.status, json.loads(one.body)["error"]["param"])


@pytest.mark.parametrize(
    "body", [b'{"data":{}}', b'{"object":"list"}', b"[]", b'{"data":[1,2]}', b'"x"']
)
@pytest.mark.parametrize("principal", [OWN_TEAM, EVERYTHING], ids=lambda p: p.name)
async def test_what_is_no_list_is_502_or_holds_nothing(body: bytes, principal: Principal):
    one = await served(Office.of(answer(body)), "GET /v1/files", principal)

    if body == b'{"data":[1,2]}':
        assert one.client.status == 200
    else:
        assert (502, "upstream_malformed") == (
            one.client.status,
            json.loads(one.body)["error"]["code"],
        )


async def test_c5_the_upstream_s_headers_that_may_pass_do():
    headers: HeaderList = [
        (b"content-type", b"application/json"),
        (b"openai-version", b"7"),
        (b"set-cookie", b"a=b"),
    ]
    one = await served(
        Office.of(FakeResponse(200, headers, [b'{"data":[],"has_more":false}'])), "GET /v1/files"
    )

    assert one.client.header(b"openai-version") == b"7"
    assert one.client.header(b"set-cookie") is None


async def test_a_job_that_an_upload_began_is_whose_the_file_is():
    rows = [
        {"id": "begun", "training_file": "file-own"},
        {"id": "theirs", "training_file": "file-theirs"},
        {"id": "asked-for", "training_file": "file-own"},
        {"id": "nobody-s"},
    ]
    page = {"object": "list", "data": rows, "has_more": False}
    office = Office.of(answer(json.dumps(page).encode()))
    office.made(OWN_TEAM, "file", "file-own")
    office.made(OTHER_TEAM, "file", "file-theirs")
    office.made(OTHER_TEAM, "job", "asked-for")

    one = await served(office, "GET /v1/fine_tuning/jobs", TEAM_MATE)

    assert ["begun"] == [row["id"] for row in json.loads(one.client.body)["data"]]
    assert await office.register.may_touch(OWN_TEAM, ObjectName("4minds", "job", "begun"))
    assert not await office.register.may_touch(OTHER_TEAM, ObjectName("4minds", "job", "begun"))
