"""The audit log tells when somebody touched it (reliability S26)."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from app.access import audit_log
from app.access.audit_log import AuditLog, Verdict
from app.access.pepper import Peppers, match_peppers
from app.domain.errors import LedgerUnavailable
from app.domain.keys import KeyDraft, TeamDraft
from app.storage import schema
from app.storage.key_store import KeyStore
from tests.fakes.offices import ADMIN, Office

CHANGES = 6


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr(audit_log, "_PAGE_ROWS", 2)


async def write(office: Office) -> None:
    """Six changes."""
    await office.teams.create(TeamDraft("red"), ADMIN)
    key, _ = await office.keys.create(KeyDraft("k", "red"), ADMIN)
    await office.keys.change(key.id, lambda draft: replace(draft, name="j"), ADMIN)
    await office.keys.rotate(key.id, 60, ADMIN)
    await office.keys.revoke(key.id, ADMIN)
    await office.teams.create(TeamDraft("blue"), ADMIN)


async def run(office: Office, *statements: str) -> None:
    async with office.database.writing() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def test_an_untouched_log_is_whole(office, small_pages):
    assert Verdict(True, 0) == await office.audit.verify()
    await write(office)
    told: list[tuple[int, int]] = []

    verdict = await office.audit.verify(lambda rows, of: told.append((rows, of)))

    assert Verdict(True, CHANGES) == verdict
    assert [(2, CHANGES), (4, CHANGES), (6, CHANGES)] == told


@pytest.mark.parametrize(
    "column", [column.name for column in schema.audit.columns if column.name != "seq"]
)
@pytest.mark.parametrize("seq", [1, 3, CHANGES])
async def test_a_change_to_any_column_of_any_row_is_told(office, column, seq):
    await write(office)
    async with office.database.writing() as connection:
        was = schema.audit.c[column]
        to = was + 1 if column == "at_ms" else was + " "
        await connection.execute(
            update(schema.audit).where(schema.audit.c.seq == seq).values({column: to})
        )

    verdict = await office.audit.verify()

    assert (False, seq) == (verdict.ok, verdict.first_bad_seq)


@pytest.mark.parametrize(
    ("statements", "first_bad", "reason"),
    [
        pytest.param(["DELETE FROM audit WHERE seq = 1"], 2, "1 to 1 are missing", id="the first removed"),
        pytest.param(["DELETE FROM audit WHERE seq IN (3, 4)"], 5, "3 to 4 are missing", id="two removed"),
        pytest.param(["DELETE FROM audit WHERE seq = 6"], 6, "missing from the end", id="the last removed"),
        pytest.param(["DELETE FROM audit"], 1, "1 to 6 are missing from the end", id="all removed"),
        pytest.param(
            ["DELETE FROM audit WHERE seq = 3", "UPDATE audit SET seq = seq - 1 WHERE seq > 3"],
            3, "does not follow", id="one removed, the others moved up",
        ),
        pytest.param(
            ["UPDATE audit SET seq = 99 WHERE seq = 3", "UPDATE audit SET seq = 3 WHERE seq = 4",
             "UPDATE audit SET seq = 4 WHERE seq = 99"],
            3, "does not follow", id="two exchanged",
        ),
        pytest.param(
            ["INSERT INTO audit SELECT 7, at_ms, actor, address, action, target, before, after, hash, hash "
             "FROM audit WHERE seq = 6"],
            7, "changed, or sealed under a pepper", id="one put in at the end",
        ),
        pytest.param(
            ["INSERT INTO audit SELECT 0, at_ms, actor, address, action, target, before, after, '', hash "
             "FROM audit WHERE seq = 6"],
            0, "before the first", id="one put in before the first",
        ),
        pytest.param(["UPDATE changes SET version = 7"], 7, "missing", id="the count of changes raised"),
        pytest.param(["UPDATE changes SET version = 5"], 6, "were 5 changes", id="the count lowered"),
        pytest.param(
            ["DELETE FROM audit WHERE seq = 6", "UPDATE changes SET version = 5"],
            6, "head", id="the last removed, and the count lowered",
        ),
        pytest.param(
            ["DELETE FROM audit", "UPDATE changes SET version = 0"],
            1, "head", id="all removed, and the count lowered",
        ),
        pytest.param(
            ["DELETE FROM audit", "UPDATE changes SET version = 0, head = ''"],
            1, "head", id="all removed, and the count and the head as in a new database",
        ),
        pytest.param(["UPDATE changes SET head = 'é'"], 7, "head", id="the head altered"),
    ],
)  # fmt: skip
async def test_rows_removed_put_in_moved_or_cut_off_are_told(
    office, small_pages, statements, first_bad, reason
):
    await write(office)
    await run(office, *statements)

    verdict = await office.audit.verify()

    assert (first_bad is None, first_bad) == (verdict.ok, verdict.first_bad_seq)
    assert reason in verdict.reason


async def test_a_log_cut_at_its_end_is_never_whole_again(office):
    await write(office)
    await run(office, "DELETE FROM audit WHERE seq = 6", "UPDATE changes SET version = 5")
    await office.teams.create(TeamDraft("green"), ADMIN)

    assert not (await office.audit.verify()).ok


async def test_a_log_emptied_under_its_keys_does_not_begin_anew(office):
    await write(office)
    await run(
        office,
        "DELETE FROM audit",
        "UPDATE changes SET version = 0, head = '', pepper_check = ''",
    )
    await match_peppers(office.store, office.peppers)

    assert not (await office.audit.verify()).ok


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("hash", "'é'", id="a hash that is no ASCII"),
        pytest.param("hash", "x'ff'", id="a hash of bytes"),
        pytest.param("previous_hash", "x'ff'", id="a link of bytes"),
        pytest.param(
            "before", "x'9ee965'", id="bytes that JSON shows as the text that stood there"
        ),
        pytest.param("at_ms", "'abc'", id="a time that is no number"),
        pytest.param("seq", "1.5", id="a number that is not whole"),
    ],
)
async def test_a_value_of_another_kind_is_told_as_a_change(office, column, value):
    await write(office)
    await run(office, f"UPDATE audit SET {column} = {value} WHERE seq = 2")  # noqa: S608 of the table above

    verdict = await office.audit.verify()

    assert (False, 2) == (verdict.ok, verdict.first_bad_seq)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE changes SET version = 'abc'", id="a count that is no number"),
        pytest.param("UPDATE changes SET head = x'ff'", id="a head of bytes"),
        pytest.param("DELETE FROM changes", id="no row"),
    ],
)
async def test_without_a_count_of_changes_the_row_that_has_it_is_named(office, statement):
    await write(office)
    await run(office, statement)

    with pytest.raises(LedgerUnavailable, match="`changes`"):
        await office.audit.verify()


async def test_who_can_only_write_to_the_database_cannot_mend_the_chain(office):
    await write(office)
    forger = KeyStore(office.database, Peppers([b"guessed" * 8]).seal)
    async with forger.changing(ADMIN, 0) as change:
        change.audit("key.create", "key_1", None, {})

    verdict = await office.audit.verify()

    assert (False, CHANGES + 1) == (verdict.ok, verdict.first_bad_seq)


async def test_rows_sealed_under_an_older_pepper_are_whole_while_it_is_in_the_list(office):
    await write(office)
    newer = Peppers([b"n" * 32, b"p" * 32])
    store = KeyStore(office.database, newer.seal)
    async with store.changing(ADMIN, 0) as change:
        change.audit("test", "x", None, None)

    assert Verdict(True, CHANGES + 1) == await AuditLog(store, newer).verify()
    verdict = await AuditLog(store, Peppers([b"n" * 32])).verify()
    assert (False, 1) == (verdict.ok, verdict.first_bad_seq)
    assert "pepper" in verdict.reason


async def test_rows_are_read_in_pages_in_their_order(office):
    await write(office)

    first = await office.audit.rows(after=None, limit=4)
    rest = await office.audit.rows(after=4, limit=4)

    assert [1, 2, 3, 4, 5, 6] == [row.seq for row in first + rest]
    assert [
        "team.create",
        "key.create",
        "key.change",
        "key.rotate",
        "key.revoke",
        "team.create",
    ] == [row.action for row in first + rest]
