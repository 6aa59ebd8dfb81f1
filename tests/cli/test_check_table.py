"""What `mindgate check` says of an upstream's abilities."""

from app.cli.check_table import _GROUPS, abilities
from app.main.checking import UpstreamReport
from app.upstreams.capabilities import SERVED


def test_abilities_are_told_by_group():
    report = UpstreamReport(
        "4minds",
        "4minds",
        ("chat.create", "chat.stored", "files", "fine_tuning", "datasets"),
        1,
        "",
        None,
        ("use", "read"),
    )

    assert abilities(report) == [
        "chat: create, stored",
        "files: files",
        "tuning: fine_tuning",
        "data: datasets",
        "native: use, read",
    ]


def test_every_capability_that_is_served_is_in_a_group():
    assert {name for names in _GROUPS.values() for name in names} == SERVED
