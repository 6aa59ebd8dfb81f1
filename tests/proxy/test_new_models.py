"""A model that turns up in a list is its job's team's before anybody sees it (reliability S16)."""

import pytest

from app.domain.errors import GatewayError, UpstreamUnreachable
from app.domain.stored_objects import ObjectName
from app.proxy.new_models import NewModels
from app.upstreams.discovery import DiscoveredModel
from app.upstreams.model_requests import ModelList
from tests.fakes.registers import OTHER_TEAM, OWN_TEAM, memory_register
from tests.fakes.senders import FakeResponse, FakeSender, answer
from tests.fakes.upstreams import upstream_of

UPSTREAM = upstream_of("4minds")
MODEL = "4minds-9"
JOBS = b'{"object":"list","data":[{"id":"ftjob-1","fine_tuned_model":"4minds-9"}]}'


class Watch:
    """One that looks, at an upstream that answers with *script*."""

    def __init__(self, *script: FakeResponse | Exception, has_job: bool = True) -> None:
        self.register = memory_register()
        self.sender = FakeSender(*script)
        self._new = NewModels(self.register, lambda: 2.0)
        if has_job:
            job = ObjectName("4minds", "job", "ftjob-1")
            self.register.claim(OWN_TEAM, job, exchange_id="req_1", at_ms=1_000)

    async def sees(self, *models: str) -> None:
        rows = tuple(DiscoveredModel(one, 0, "4minds") for one in models)
        await self._new.look(UPSTREAM, self.sender, ModelList(rows, "/models"))

    def may_use(self) -> tuple[bool, bool]:
        """The job's own team, and another."""
        may_use = self.register.may_use_model
        return may_use(OWN_TEAM, "4minds", MODEL), may_use(OTHER_TEAM, "4minds", MODEL)


async def test_a_new_model_is_its_job_s_team_s():
    watch = Watch(answer(JOBS))

    await watch.sees("Gemma-12B AWQ", MODEL)

    assert (True, False) == watch.may_use()
    assert (
        "https://api.4minds.ai/v1/fine_tuning/jobs?limit=100" == watch.sender.requests[0].head.url
    )


async def test_what_was_there_before_asks_for_nothing():
    watch = Watch(answer(JOBS))

    await watch.sees(MODEL)
    await watch.sees(MODEL)

    assert 1 == len(watch.sender.requests)


async def test_where_nobody_made_a_job_nobody_is_asked():
    watch = Watch(has_job=False)

    await watch.sees(MODEL)

    assert [] == watch.sender.requests


async def test_all_pages_are_read():
    first = b'{"object":"list","data":[{"id":"ftjob-0"}],"has_more":true}'
    watch = Watch(answer(first), answer(JOBS))

    await watch.sees(MODEL)

    assert (True, False) == watch.may_use()
    assert watch.sender.requests[1].head.url.endswith("?limit=100&after=ftjob-0")


async def test_an_upstream_that_lists_no_jobs_has_none():
    watch = Watch(answer(b'{"error":{"message":"no such route"}}', 404))

    await watch.sees(MODEL)

    assert (True, True) == watch.may_use()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(answer(b'{"error":{"message":"x"}}', 500), id="it fails"),
        pytest.param(answer(b"<html>"), id="it sends no list"),
        pytest.param(UpstreamUnreachable("no"), id="it is not there"),
    ],
)
async def test_a_list_that_could_not_be_judged_is_not_shown_and_is_judged_later(fault):
    watch = Watch(fault, answer(JOBS))

    with pytest.raises(GatewayError):
        await watch.sees(MODEL)
    await watch.sees(MODEL)

    assert (True, False) == watch.may_use()


async def test_a_job_that_began_by_itself_is_whose_the_file_is():
    told = JOBS.replace(b'"id":"ftjob-1"', b'"id":"ftjob-2","training_file":"file-7"')
    watch = Watch(answer(told), has_job=False)
    file = ObjectName("4minds", "file", "file-7")
    watch.register.claim(OWN_TEAM, file, exchange_id="req_1", at_ms=1_000)

    await watch.sees(MODEL)

    assert (True, False) == watch.may_use()
