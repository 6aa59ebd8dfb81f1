"""A completion that its upstream keeps is whose key asked for it, before anybody has its id."""

import pytest

from app.domain.stored_objects import ObjectName
from app.proxy.stored_chats import StoredChats
from tests.fakes.exchanges import exchange_with
from tests.fakes.registers import OTHER_TEAM, OWN_TEAM, memory_register
from tests.fakes.upstreams import upstream_of

FIRST = b'{"id":"chatcmpl-1","choices":[]}'


@pytest.mark.parametrize(
    ("dialect", "first", "sees"),
    [
        pytest.param("4minds", FIRST, True, id="kept by 4minds"),
        pytest.param("4minds", b'{"choices":[]}', False, id="without an id"),
        pytest.param("minds", FIRST, False, id="kept by nobody"),
    ],
)
async def test_a_kept_completion_has_an_owner(dialect, first, sees):
    register = memory_register()
    exchange = exchange_with("req_1", "POST", "chat.create", 0.0, upstream=dialect)

    StoredChats({dialect: upstream_of(dialect)}, register).watch(OWN_TEAM, exchange)
    assert exchange.on_first
    exchange.on_first(first)
    name = ObjectName(dialect, "completion", "chatcmpl-1")

    assert sees == await register.may_touch(OWN_TEAM, name)
    assert not await register.may_touch(OTHER_TEAM, name)
