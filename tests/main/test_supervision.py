"""Background work goes on whatever happens to it, and what nobody caught is told in the log (reliability J8, S27)."""

import asyncio
import io
import json
from collections.abc import Sequence

import pytest

from app.domain.ledger import UsageRecord
from app.main.supervision import AGAIN_SECONDS, loop_errors, run_for_ever
from app.storage.record_store import RecordStore
from app.telemetry.logs import make_log
from tests.fakes.clock import Clock
from tests.fakes.ledgers import ledger_over, records_of
from tests.fakes.raw_client import ask, chat, eventually, request
from tests.fakes.scripted_upstream import ANSWER, entry_of, scripted, whole


class Told:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def exception(self, event: str, **fields: object) -> None:
        self.lines.append(f"{event}: {fields['work']}")

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append(event)


async def supervised(log: Told, errors: list[Exception], seconds: float = 0.0) -> list[float]:
    """Work that fails as *errors* say, *seconds* into each run; the pauses until it went well."""
    clock, pauses, is_well = Clock(), list[float](), asyncio.Event()

    async def run() -> None:
        clock.advance(seconds)
        if errors:
            raise errors.pop(0)
        is_well.set()
        await asyncio.Event().wait()

    async def sleep(pause: float) -> None:
        pauses.append(pause)
        clock.advance(pause)
        await asyncio.sleep(0)

    task = asyncio.ensure_future(run_for_ever("recorder", run, log, sleep=sleep, now=clock))
    await is_well.wait()
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return pauses


async def test_work_that_fails_is_begun_again_a_second_later():
    log = Told()

    pauses = await supervised(log, [ValueError("a"), ExceptionGroup("b", [RuntimeError("c")])])

    assert [AGAIN_SECONDS] * 2 == pauses
    assert ["background work failed; it is begun again: recorder"] * 2 == log.lines


@pytest.mark.parametrize(
    ("seconds", "lines"),
    [
        pytest.param(0.0, 1, id="one line for all of a minute"),
        pytest.param(59.0, 3, id="a line each minute"),
    ],
)
async def test_the_same_error_is_told_once_a_minute(seconds, lines):
    log = Told()

    await supervised(log, [ValueError("a") for _ in range(3)], seconds)

    assert lines == len(log.lines)


async def test_one_unforeseen_error_of_the_recorder_does_not_stop_the_gateway(
    tmp_path, monkeypatch
):
    async with scripted() as upstream, ledger_over(tmp_path, entry_of(upstream)) as gateway:
        upstream.tell(whole(ANSWER))
        assert gateway.kept is not None
        store = type(gateway.kept.records)
        add, calls = store.add, list[int]()

        async def fail_once(self: RecordStore, records: Sequence[UsageRecord]) -> int:
            calls.append(1)
            if len(calls) == 1:
                raise ValueError("unforeseen")
            return await add(self, records)

        monkeypatch.setattr(store, "add", fail_once)
        assert 200 == (await ask(gateway, chat())).status
        assert await eventually(lambda: len(calls) > 0, 5)
        assert 200 == (await ask(gateway, chat())).status
        assert await eventually(lambda: len(calls) > 1, 5)

        assert 2 == len(await records_of(gateway))
        assert 200 == (await ask(gateway, request("GET", "/readyz"))).status
        (line,) = gateway.lines("background work failed; it is begun again")
        assert "recorder" == line["work"]


async def test_what_nobody_caught_is_a_line_of_the_log():
    out = io.StringIO()
    tell = loop_errors(make_log("json", out))

    tell(asyncio.get_running_loop(), {"message": "an exchange ended", "exception": ValueError("x")})
    tell(asyncio.get_running_loop(), {"message": "a socket was left open"})

    error, warning = (json.loads(line) for line in out.getvalue().splitlines())
    assert ("error", "an exchange ended") == (error["level"], error["detail"])
    assert "ValueError: x" in error["exception"]
    assert ("warning", "a socket was left open") == (warning["level"], warning["detail"])


async def test_s12_a_gateway_without_keys_says_that_it_does_not_ask_for_limits(tmp_path):
    async with (
        scripted() as upstream,
        ledger_over(tmp_path, entry_of(upstream), auth_mode="none", keys=()) as gateway,
    ):
        assert 1 == len(gateway.lines("auth.mode is none: keys and their limits are not asked for"))
