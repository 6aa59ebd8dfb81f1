"""Notes of exchanges that never happened, and a disk that fails when told."""

import os

from msgspec.structs import replace

from app.domain.ledger import Intent, Progress, UsageRecord
from app.domain.stored_objects import Claim
from tests.fakes.record_stores import Killed
from tests.fakes.records import RECORD


def an_intent(id: str = "e1", **fields) -> Intent:
    usual = Intent(
        id=id,
        at_ms=1_700_000_000_000,
        key_id="key_1",
        team_id="team_1",
        endpoint="chat.completions",
        model="fast",
        stream=True,
        input_tokens=100,
        output_tokens=1024,
        cost_nano=5_000,
        lease_ends_at_ms=1_700_001_860_000,
    )
    return replace(usual, **fields)


def a_progress(id: str = "e1", **fields) -> Progress:
    usual = Progress(
        id=id,
        upstream="sun",
        upstream_model="sun-1",
        attempts=1,
        input_tokens=100,
        cached_input_tokens=0,
        output_tokens=7,
        usage_source="estimated",
        cost_nano=70,
        priced=True,
    )
    return replace(usual, **fields)


def a_record(id: str = "e1", **fields) -> UsageRecord:
    usual = replace(RECORD, id=id, at_ms=1_700_000_000_000, output_tokens=200, cost_nano=1_234)
    return replace(usual, **fields)


def a_claim(id: str = "e1", **fields) -> Claim:
    claim = Claim(
        id=id,
        upstream="sun",
        kind="file",
        object_id="file-1",
        key_id="key_1",
        team_id="team_1",
        at_ms=1_700_000_000_000,
    )
    return replace(claim, **fields)


class FaultyDisk:
    """Writes as `os.write` does, or as *faults* says of the next writes: (how, bytes that still reach the disk).

    `short`: so many are written, which the return value says · `error`: none are, and it raises · `die`: so many are,
    and the process dies. *is_full*: every write is an error.
    """

    def __init__(self) -> None:
        self.faults: list[tuple[str, int]] = []
        self.is_full = False
        self.writes = 0

    def write(self, number: int, line: bytes) -> int:
        self.writes += 1
        how, reach = self.faults.pop(0) if self.faults else ("", 0)
        if self.is_full or how == "error":
            raise OSError(28, "No space left on device")
        if how == "short":
            return os.write(number, line[: min(reach, len(line) - 1)])
        if how == "die":
            os.write(number, line[:reach])
            raise Killed
        return os.write(number, line)


class Warnings:
    """What the operator was told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def __call__(self, event: str, **_: object) -> None:
        self.events.append(event)
