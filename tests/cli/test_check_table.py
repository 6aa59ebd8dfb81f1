"""What `mindgate check` says of an upstream's abilities."""

from app.cli.check_table import _LINES, abilities
from app.main.checking import UpstreamReport
from app.upstreams.capabilities import SERVED


def test_abilities_are_told_by_the_ids_of_the_matrix_those_that_belong_together_in_a_line():
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
        "files",
        "fine_tuning",
        "datasets",
        "native: use, read",
    ]


def test_every_capability_that_is_served_has_its_line():
    assert sorted(name for names in _LINES for name in names) == sorted(SERVED)


def test_a_line_of_one_thing_in_several_forms_names_each():
    report = UpstreamReport("a", "openai", ("files", "files.content", "embeddings"), 0, "")

    assert abilities(report) == ["files, files.content", "embeddings"]
