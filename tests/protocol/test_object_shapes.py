"""What strict SDKs need of a stored object (contract L8, M2, M11)."""

import json

import pytest

from app.domain.stored_objects import ObjectKind
from app.protocol.object_shapes import all_filled, deletion, filled, models_made, was_deleted


def test_what_is_there_keeps_its_bytes_whatever_it_says():
    job = b'{ "id":"j","seed": 1.0, "status":"odd","created_at":"2025-03-01" }'

    found = filled(job, "job")

    assert found.startswith(job[:-2])
    assert {"seed": 1.0, "status": "odd", "created_at": "2025-03-01"}.items() <= (
        json.loads(found).items()
    )


def test_l8_a_file_has_every_field():
    fields = {"id", "object", "bytes", "created_at", "filename", "purpose", "status"}

    assert fields == set(json.loads(filled(b'{"id":"f"}', "file")))


@pytest.mark.parametrize("text", [b'{"x":1}', b"[]", b"<", b""])
def test_what_has_no_id_is_no_object_of_ours(text: bytes):
    assert text == filled(text, "job")


@pytest.mark.parametrize("items", [[b'{"id":"a"}', b"7"], [b'{"id":"a"}', b'{"id":"b","seed":7}']])
def test_many_are_filled_as_one_is(items: list[bytes]):
    assert [filled(item, "job") for item in items] == all_filled(items, "job")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", b'{"id":"x","object":"file","deleted":true}'),
        (b'{"id":"x","deleted":false}', b'{"id":"x","deleted":false,"object":"file"}'),
        (b"null", b'{"id":"x","object":"file","deleted":true}'),
    ],
)
def test_m11_a_deletion_is_told_whole(text: bytes, expected: bytes):
    kind: ObjectKind = "file"

    assert expected == deletion(text, kind, "x")


@pytest.mark.parametrize(
    ("text", "is_gone"),
    [(b"", True), (b"{}", True), (b'{"deleted":true}', True), (b'{"deleted":false}', False)],
)
def test_only_a_deletion_that_says_so_did_nothing(text: bytes, is_gone: bool):
    assert is_gone is was_deleted(text)


@pytest.mark.parametrize(
    ("told", "models"),
    [
        (b'{"fine_tuned_model":null}', ()),
        (b'{"fine_tuned_model":"m"}', ("m",)),
        (b'{"fine_tuned_model":"m","model":"base"}', ("m",)),
        (b'{"fine_tuned_model":"base","model":"base"}', ()),
        (b'{"fine_tuned_model_checkpoint":"m:1"}', ("m:1",)),
        (b'{"fine_tuned_model":7}', ()),
        (b"{}", ()),
        (b'{"fine_tuned_model":"m","status":"succeeded"}', ("m",)),
        (b'{"fine_tuned_model":"m","status":"queued"}', ()),
        (b'{"fine_tuned_model":"m","status":"running"}', ()),
    ],
)
def test_the_models_that_a_job_made(told: bytes, models: tuple[str, ...]):
    assert models == models_made(told)
