"""What survives a restart, opened as the gateway opens it (reliability J8, S16)."""

from io import StringIO
from pathlib import Path

import pytest

from app.access.register import Register
from app.domain.configuration import Configuration
from app.domain.stored_objects import ObjectName
from app.main.kept import Kept, kept
from app.telemetry.logs import make_log
from app.usage.journal import Journal
from app.usage.segments import Series
from tests.fakes.clock import Clock
from tests.fakes.gateways import upstream_at
from tests.fakes.ledgers import keeping, storage_in
from tests.fakes.registers import OTHER_TEAM, OWN_TEAM, TEAM_MATE
from tests.usage.notes import Warnings, a_claim

FILE = ObjectName("scripted", "file", "file-1")
MODEL = ObjectName("scripted", "model", "ft-1")


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return keeping(tmp_path, upstream_at("http://127.0.0.1:9"))


def register_over(found: Kept | None) -> Register:
    """As the gateway builds it."""
    assert found is not None
    return Register(found.objects, found.journal.claim, found.recorder.flush, models=found.models)


async def test_who_made_what_survives_a_restart(configuration):
    clock = Clock(1_700_000_000.0)
    with make_log("json", StringIO()) as log:
        async with kept(configuration, log, clock) as found:
            register = register_over(found)
            register.claim(OWN_TEAM, FILE, exchange_id="req_1", at_ms=1_000)
            register.claim(OWN_TEAM, MODEL, exchange_id="req_2", at_ms=1_000)
        async with kept(configuration, log, clock) as found:
            register = register_over(found)

            assert await register.upstream_of(TEAM_MATE, "file", "file-1") == "scripted"
            assert await register.upstream_of(OTHER_TEAM, "file", "file-1") is None
            assert register.may_use_model(TEAM_MATE, "scripted", "ft-1")
            assert not register.may_use_model(OTHER_TEAM, "scripted", "ft-1")


async def test_what_a_killed_process_made_is_there_before_the_first_question(
    configuration, tmp_path
):
    journal = Journal(Series.begin(storage_in(tmp_path).journal, "0"), warn=Warnings())
    journal.claim(a_claim(upstream="scripted", kind="model", object_id="ft-1"))
    journal.close()

    with make_log("json", StringIO()) as log:
        async with kept(configuration, log, Clock(1_700_000_000.0)) as found:
            assert not register_over(found).may_use_model(OTHER_TEAM, "scripted", "ft-1")
