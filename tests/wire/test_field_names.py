"""Names of header fields that are found in place of being made anew."""

from app.wire.field_names import USUAL_NAMES


def test_each_stands_for_itself_in_lower_case():
    for name, lower in USUAL_NAMES.items():
        assert name.lower() == lower


def test_s3_none_holds_an_underscore():
    assert not [name for name in USUAL_NAMES if b"_" in name]
