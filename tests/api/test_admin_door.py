"""Who may come through to the admin API (reliability S12, S13), and that nothing runs before that is known."""

import pytest
from pydantic import SecretStr
from starlette.types import Message, Receive, Scope, Send

from app.api.admin_door import AdminDoor, AdminKeys, actor_of
from app.domain.errors import Unauthenticated
from app.domain.keys import Actor
from tests.fakes.admin import ADMIN, VIEWER, VIRTUAL
from tests.fakes.clock import Clock

NOBODY = None


def keys(admin: str | None = ADMIN, viewer: str | None = VIEWER) -> AdminKeys:
    return AdminKeys(*(None if key is None else SecretStr(key) for key in (admin, viewer)))


def role(found: AdminKeys, authorization: str) -> str | None:
    try:
        return found.role(authorization)
    except Unauthenticated:
        return NOBODY


@pytest.mark.parametrize(
    ("found", "given", "who"),
    [
        pytest.param(keys(), f"Bearer {ADMIN}", "admin", id="the admin's"),
        pytest.param(keys(), f"Bearer {VIEWER}", "viewer", id="the viewer's"),
        pytest.param(keys(), f"bearer   {ADMIN}  ", "admin", id="blanks and case do not matter"),
        pytest.param(keys(), "", NOBODY, id="none"),
        pytest.param(keys(), "Bearer", NOBODY, id="a scheme alone"),
        pytest.param(keys(), "Bearer ", NOBODY, id="an empty one"),
        pytest.param(keys(), ADMIN, NOBODY, id="no scheme"),
        pytest.param(keys(), f"Basic {ADMIN}", NOBODY, id="another scheme"),
        pytest.param(keys(), f"Bearer {VIRTUAL}", NOBODY, id="a virtual key"),
        pytest.param(keys(), f"Bearer {ADMIN}x", NOBODY, id="a letter more"),
        pytest.param(keys(), f"Bearer {ADMIN[:-1]}", NOBODY, id="a letter less"),
        pytest.param(keys(), f"Bearer {ADMIN.upper()}", NOBODY, id="another case"),
        pytest.param(keys(), f"Bearer {ADMIN} {VIEWER}", NOBODY, id="both at once"),
        pytest.param(keys(), "Bearer k\xe9y", NOBODY, id="8-bit letters"),
        pytest.param(keys(admin=None), f"Bearer {ADMIN}", NOBODY, id="an admin key nobody set"),
        pytest.param(
            keys(admin=None), f"Bearer {VIEWER}", "viewer", id="a viewer without an admin"
        ),
        pytest.param(keys(viewer=None), f"Bearer {VIEWER}", NOBODY, id="a viewer key nobody set"),
        pytest.param(keys("", ""), "Bearer ", NOBODY, id="empty secrets, an empty key"),
        pytest.param(keys("", ""), "Bearer x", NOBODY, id="empty secrets, a key"),
        pytest.param(keys(None, None), "Bearer None", NOBODY, id="no secrets"),
        pytest.param(keys(ADMIN, ADMIN), f"Bearer {ADMIN}", "admin", id="both the same: the admin"),
    ],
)
def test_whose_key_it_is(found, given, who):
    assert who == role(found, given)


class Behind:
    """An application that notes who came through."""

    def __init__(self) -> None:
        self.came: list[Actor] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.came.append(actor_of(scope))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


async def through(
    behind: Behind, method: str, key: str | None, *, door: AdminDoor | None = None
) -> tuple[int, dict[bytes, bytes]]:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the door reads no body")

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [] if key is None else [(b"authorization", f"Bearer {key}".encode())]
    scope = {"type": "http", "method": method, "headers": headers, "client": ("203.0.113.9", 1)}
    await (door or AdminDoor(behind, keys()))(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"])


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "X"]
)
@pytest.mark.parametrize(
    ("key", "reads", "changes"),
    [
        pytest.param(None, 401, 401, id="nobody"),
        pytest.param(VIRTUAL, 401, 401, id="a virtual key"),
        pytest.param(VIEWER, 200, 403, id="the viewer"),
        pytest.param(ADMIN, 200, 200, id="the admin"),
    ],
)  # fmt: skip
async def test_a_viewer_reads_an_admin_does_all_and_nobody_else_comes_through(
    method, key, reads, changes
):
    behind = Behind()
    status, headers = await through(behind, method, key)

    assert (reads if method in ("GET", "HEAD") else changes) == status
    assert (1 if status == 200 else 0) == len(behind.came)
    assert b"no-store" == headers[b"cache-control"]


async def test_s10_an_address_with_too_many_wrong_keys_waits_and_right_ones_go_on():
    behind, clock = Behind(), Clock()
    door = AdminDoor(behind, keys(), clock)
    for _ in range(100):
        assert 401 == (await through(behind, "GET", None, door=door))[0]  # none is not a wrong one

    found = [(await through(behind, "GET", VIRTUAL, door=door))[0] for _ in range(61)]
    status, headers = await through(behind, "GET", VIRTUAL, door=door)

    assert [401] * 60 + [429] == found
    assert (429, b"1", b"no-store") == (status, headers[b"retry-after"], headers[b"cache-control"])
    assert 200 == (await through(behind, "GET", ADMIN, door=door))[0]
    clock.advance(1)
    assert 401 == (await through(behind, "GET", VIRTUAL, door=door))[0]


async def test_the_routes_know_who_came_and_from_where():
    behind = Behind()
    await through(behind, "GET", VIEWER)

    assert [Actor("viewer", "203.0.113.9")] == behind.came


def test_a_route_that_no_door_stands_before_knows_nobody():
    with pytest.raises(KeyError):
        actor_of({"type": "http"})
