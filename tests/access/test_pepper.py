"""The secret that keys are kept under (reliability S9, S19)."""

import hmac
import os
import stat

import pytest
from pydantic import SecretStr

from app.access.pepper import Peppers, match_peppers, open_peppers, passing_peppers
from app.domain.errors import ConfigurationError
from app.domain.keys import KeyDraft
from tests.fakes.offices import ADMIN, office_over

OLD, NEW = b"o" * 32, b"n" * 32


def test_a_missing_file_is_made_for_its_owner_alone_and_kept(tmp_path):
    file = tmp_path / "mindgate.pepper"

    first = open_peppers((), file, may_make=True)

    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert len(file.read_bytes().strip()) >= 32
    assert first.digest("key") == open_peppers((), file, may_make=True).digest("key")


def test_two_files_hold_two_peppers(tmp_path):
    one, other = (
        open_peppers((), tmp_path / name, may_make=True).digest("key") for name in ("a", "b")
    )

    assert one != other


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_may_read_is_refused(tmp_path, mode):
    file = tmp_path / "mindgate.pepper"
    open_peppers((), file, may_make=True)
    file.chmod(mode)

    with pytest.raises(ConfigurationError, match="chmod 600"):
        open_peppers((), file, may_make=True)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 31, b" " * 64])
def test_a_file_that_is_cut_short_is_refused_and_left_alone(tmp_path, content):
    file = tmp_path / "mindgate.pepper"
    file.touch(0o600)
    file.write_bytes(content)

    with pytest.raises(ConfigurationError, match="cut short"):
        open_peppers((), file, may_make=True)
    assert content == file.read_bytes()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere.*set auth\.pepper"):
        open_peppers((), tmp_path / "nowhere" / "mindgate.pepper", may_make=True)


def test_the_configuration_wins_and_makes_no_file(tmp_path):
    peppers = open_peppers(
        [SecretStr("n" * 32), SecretStr("o" * 32)], tmp_path / "pepper", may_make=False
    )

    assert Peppers([NEW, OLD]).digest("key") == peppers.digest("key")
    assert 2 == len(peppers.digests)
    assert [] == os.listdir(tmp_path)


@pytest.mark.parametrize("peppers", [[], [b"x" * 31], [b"x" * 32, b""]])
def test_s12_an_empty_or_short_pepper_never_digests_anything(peppers):
    with pytest.raises(ConfigurationError, match="at least 32"):
        Peppers(peppers)


def test_without_storage_each_process_has_its_own():
    assert passing_peppers().digest("key") != passing_peppers().digest("key")


def test_s19_a_pepper_is_not_printed():
    peppers = Peppers([b"secret-pepper-" * 3])
    sealing = hmac.digest(b"secret-pepper-" * 3, b"mindgate: the seal of the audit log", "sha256")

    printed = f"{peppers!r} {vars(peppers)!r}"

    assert "secret-pepper" not in printed
    assert repr(sealing)[2:-1] not in printed


def test_digest_check_and_seals_tell_nothing_of_each_other():
    peppers = Peppers([OLD])

    assert 3 == len({peppers.digest("x").hex(), peppers.checks[0], peppers.seal(b"x")})


# --- and its database -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("then", "is_refused"),
    [
        pytest.param([OLD], False, id="the same"),
        pytest.param([NEW, OLD], False, id="a newer one before it"),
        pytest.param([OLD, NEW], False, id="another one behind it"),
        pytest.param([NEW], True, id="another one alone"),
    ],
)
async def test_a_database_opens_with_its_own_pepper_alone(new_office, then, is_refused):
    await match_peppers(new_office.store, Peppers([OLD]))

    if is_refused:
        with pytest.raises(ConfigurationError, match=r"another pepper: set auth\.pepper"):
            await match_peppers(new_office.store, Peppers(then))
    else:
        await match_peppers(new_office.store, Peppers(then))


async def test_once_the_newer_one_has_opened_it_the_older_alone_does_not(new_office):
    for peppers in ([OLD], [NEW, OLD], [NEW]):
        await match_peppers(new_office.store, Peppers(peppers))

    with pytest.raises(ConfigurationError):
        await match_peppers(new_office.store, Peppers([OLD]))


async def test_a_key_kept_under_an_older_pepper_opens_while_that_is_in_the_list(office):
    before, between, after = (
        office_over(office.database, one) for one in ([OLD], [NEW, OLD], [NEW])
    )
    _, old_secret = await before.keys.create(KeyDraft("old"), ADMIN)
    _, new_secret = await between.keys.create(KeyDraft("new"), ADMIN)
    for process in (between, after):
        process.ring.apply(await process.store.load())

    assert "old" == between.caller(old_secret).name
    assert "new" == between.caller(new_secret).name
    assert "new" == after.caller(new_secret).name
    assert after.ring.find(old_secret.get_secret_value()) is None


def test_a_database_that_had_a_pepper_gets_no_new_one(tmp_path):
    """Under another one no key would open, and the whole audit log would look altered."""
    file = tmp_path / "mindgate.pepper"

    with pytest.raises(ConfigurationError, match="is not there"):
        open_peppers((), file, may_make=False)

    assert not file.exists()
