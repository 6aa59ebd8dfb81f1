"""A file's bytes on their way out (contract L9, L10, A11; reliability S16)."""

import json

import pytest

from app.domain.errors import UpstreamDisconnected
from app.domain.principal import Principal
from app.protocol.headers import HeaderList
from app.proxy.body_relay import BodyRelay
from app.proxy.downloads import DownloadDesk
from tests.fakes.calls import Office, Served
from tests.fakes.registers import EVERYTHING, OTHER_TEAM, OWN_TEAM
from tests.fakes.senders import FakeResponse, answer

CONTENT = bytes(range(256)) * 8
HEADERS: HeaderList = [
    (b"content-type", b"application/octet-stream"),
    (b"content-length", b"%d" % len(CONTENT)),
    (b"content-disposition", b'attachment; filename="\xc3\xa4.bin"'),
    (b"etag", b'"abc"'),
    (b"set-cookie", b"a=b"),
    (b"server", b"them"),
]


def file_of(
    *pieces: bytes | Exception, status: int = 200, headers: HeaderList = HEADERS
) -> FakeResponse:
    return FakeResponse(status, headers, pieces or (CONTENT[:700], CONTENT[700:]))


async def served(
    office: Office,
    line: str = "GET /v1/files/file-1/content",
    principal: Principal = EVERYTHING,
    headers: HeaderList | None = None,
) -> Served:
    desk = DownloadDesk(
        office.chooser,
        office.attempts,
        BodyRelay(office.clock, office.clock.call_later),
        billing=office.billing,
        now=office.clock,
    )
    return await office.serve(desk.serve, office.call(line, principal, headers=headers))


async def test_l9_bytes_type_name_and_length_pass_and_nothing_else_does():
    one = await served(Office.of(file_of(), names=("openai",)))

    client = one.client
    assert (200, CONTENT, len(CONTENT)) == (client.status, client.body, client.length)
    assert client.header(b"content-type") == b"application/octet-stream"
    assert client.header(b"content-disposition") == b'attachment; filename="\xc3\xa4.bin"'
    assert client.header(b"etag") == b'"abc"'
    assert client.header(b"set-cookie") is client.header(b"server") is None
    assert client.header(b"content-security-policy") == b"sandbox"


async def test_l9_a_range_is_asked_for_and_its_part_comes():
    part = [*HEADERS[:1], (b"content-length", b"4"), (b"content-range", b"bytes 0-3/2048")]
    office = Office.of(file_of(CONTENT[:4], status=206, headers=part), names=("openai",))

    one = await served(
        office, headers=[(b"range", b"bytes=0-3"), (b"accept", b"application/binary")]
    )

    [sent] = office.senders["openai"].requests
    assert {(b"range", b"bytes=0-3"), (b"accept", b"application/binary")} <= set(sent.headers)
    assert (206, CONTENT[:4]) == (one.client.status, one.body)
    assert one.client.header(b"content-range") == b"bytes 0-3/2048"


async def test_l9_a_range_that_is_not_there_is_416_in_the_envelope():
    response = FakeResponse(416, [(b"content-range", b"bytes */2048")], [b"<html>"])

    one = await served(Office.of(response, names=("openai",)), headers=[(b"range", b"bytes=9999-")])

    assert (416, "range") == (one.client.status, json.loads(one.body)["error"]["param"])
    assert one.client.header(b"content-range") == b"bytes */2048"
    assert response.is_closed


async def test_f11_a_size_that_is_none_is_not_passed_on():
    response = FakeResponse(416, [(b"content-range", b"bytes */sk-upstream")], [b"<html>"])

    one = await served(Office.of(response, names=("openai",)), headers=[(b"range", b"bytes=9999-")])

    assert 416 == one.client.status
    assert one.client.header(b"content-range") is None


async def test_l10_a_download_that_fails_midway_is_cut_short():
    one = await served(
        Office.of(file_of(CONTENT[:900], UpstreamDisconnected("cut")), names=("openai",))
    )

    assert one.client.was_cut
    assert not one.client.is_finished
    assert CONTENT.startswith(one.body)


async def test_a11_head_tells_the_length_and_reads_nothing():
    response = file_of()

    one = await served(Office.of(response, names=("openai",)), "HEAD /v1/files/file-1/content")

    assert (200, len(CONTENT), b"") == (one.client.status, one.client.length, one.body)
    assert response.is_closed


async def test_s16_another_team_s_file_is_404_and_nobody_is_asked():
    office = Office.of(names=("openai",))
    office.made(OTHER_TEAM, "file", "file-1", upstream="openai")

    one = await served(office, principal=OWN_TEAM)

    assert (404, "No such File object: file-1") == (
        one.client.status,
        json.loads(one.body)["error"]["message"],
    )
    assert office.asked() == []


@pytest.mark.parametrize("tricky", ["..", "a%2f..%2fb", "a;b"])
async def test_a12_tricks_reach_nobody(tricky: str):
    office = Office.of(names=("openai",))

    one = await served(office, f"GET /v1/files/{tricky}/content")

    assert one.client.status == 400
    assert office.asked() == []


async def test_an_upstream_s_refusal_is_a_typed_error():
    one = await served(Office.of(answer(b'{"detail":"gone"}', 404), names=("openai",)))

    assert (404, "gone") == (one.client.status, json.loads(one.body)["error"]["message"])
