"""Addresses no upstream may have, however they are spelt (reliability S7)."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import httpcore2
import pytest
import uvloop
from typing_extensions import override

from app.upstreams.addresses import is_forbidden
from app.upstreams.guarded_sockets import GuardedBackend

FORBIDDEN = [
    # where clouds keep their metadata
    *("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"),
    *("168.63.129.16", "::ffff:168.63.129.16", "fd20:ce::254"),
    # link-local as a whole
    *("169.254.0.1", "169.254.255.255", "fe80::1", "fe80::1%eth0", "febf::1", "FE80::A9FE:A9FE"),
    # IPv4-mapped
    *("::ffff:169.254.169.254", "::FFFF:A9FE:A9FE", "0:0:0:0:0:ffff:a9fe:a9fe"),
    *("::ffff:100.100.100.200", "::ffff:0.0.0.0", "::ffff:224.0.0.1", "::ffff:169.254.1.1%1"),
    # NAT64 and 6to4
    *("64:ff9b::169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b::100.100.100.200"),
    *("2002:a9fe:a9fe::", "2002:a9fe:a9fe::1", "2002:6464:64c8::1"),
    # NAT64 of a network's own (RFC 8215), IPv4-translated and IPv4-compatible
    *("64:ff9b:1::a9fe:a9fe", "64:ff9b:1:2:3:4:a9fe:a9fe", "::ffff:0:a9fe:a9fe"),
    *("::169.254.169.254", "::a9fe:a9fe", "::6464:64c8"),
    # unspecified and multicast: this machine, or everybody
    *("0.0.0.0", "::", "0:0:0:0:0:0:0:0", "224.0.0.251", "239.255.255.250", "ff02::1"),  # noqa: S104
]
ALLOWED = [
    *("127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "192.168.1.10", "172.16.0.1"),
    *("8.8.8.8", "169.253.255.255", "169.255.0.1", "2606:4700::1111", "fd00::1", "fec0::1"),
    *("64:ff9b::8.8.8.8", "2002:808:808::1", "100.64.0.1", "64:ff9b:1::8.8.8.8", "::8.8.8.8"),
]
SPELLINGS = [  # of 169.254.169.254, as the system's resolver reads them
    *("2852039166", "0xa9fea9fe", "0xA9FEA9FE", "025177524776", "0251.0376.0251.0376"),
    *("169.254.43518", "169.16689662", "0xa9.0xfe.0xa9.0xfe", "0xa9.254.0251.254", "169.0xfea9fe"),
]
UNSPECIFIED_SPELLINGS = ["0", "0x0", "0.0", "00.0.0.0"]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_a_forbidden_address_in_any_wrapping(address):
    assert is_forbidden(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_a_usual_address_is_not_forbidden(address):
    assert not is_forbidden(address)


async def test_there_are_forty_spellings_and_more():
    assert len({*FORBIDDEN, *SPELLINGS, *UNSPECIFIED_SPELLINGS}) >= 40


@pytest.mark.parametrize("host", [*SPELLINGS, *UNSPECIFIED_SPELLINGS, "169.254.169.254"])
async def test_a_decimal_or_octal_spelling_is_not_connected(host):
    """What `getaddrinfo` makes of it is checked, not what was written."""
    with pytest.raises(httpcore2.ConnectError, match="may be used"):
        await GuardedBackend().connect_tcp(host, 80, timeout=5)


class NamesLoop(uvloop.Loop):
    """A loop whose resolver knows the names it is given, one list of addresses for each time it is asked."""

    def __init__(self, answers: dict[str, list[list[str]]]) -> None:
        super().__init__()
        self.answers = answers
        self.asked: list[str] = []

    @override
    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                0,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in self.answers[host].pop(0)
        ]


def connected(answers: dict[str, list[list[str]]], times: int = 1) -> Sequence[object]:
    """What connecting to `up.example` gave, each time: the peer's address, or the error."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    async def connect() -> list[object]:
        found: list[object] = []
        for _ in range(times):
            try:
                stream = await GuardedBackend().connect_tcp("up.example", port, timeout=5)
            except httpcore2.ConnectError as error:
                found.append(str(error))
                continue
            found.append(stream.get_extra_info("server_addr")[0])
            await stream.aclose()
        return found

    with listener, asyncio.Runner(loop_factory=lambda: NamesLoop(answers)) as runner:
        return runner.run(connect())


REFUSED = "no address of the upstream may be used"


@pytest.mark.parametrize(
    ("addresses", "result"),
    [
        pytest.param(["169.254.169.254"], REFUSED, id="a name that means the metadata service"),
        pytest.param(["fe80::1"], REFUSED, id="or a link-local address"),
        pytest.param(["::ffff:169.254.169.254"], REFUSED, id="or a mapped one"),
        pytest.param(["64:ff9b::a9fe:a9fe"], REFUSED, id="or a translated one"),
        pytest.param(["169.254.169.254", "fe80::1", "::"], REFUSED, id="none of several"),
        pytest.param([], REFUSED, id="a name without an address"),
        pytest.param(["169.254.169.254", "127.0.0.1"], "127.0.0.1", id="the good one of two"),
        pytest.param(["127.0.0.1"], "127.0.0.1", id="a good name"),
    ],
)
def test_a_name_is_judged_by_what_it_resolves_to(addresses, result):
    assert connected({"up.example": [addresses]}) == [result]


def test_a_name_that_changes_its_mind_is_checked_each_time():
    """DNS rebinding: good at first, then the metadata service."""
    answers = {"up.example": [["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1"]]}

    assert connected(answers, times=3) == ["127.0.0.1", REFUSED, "127.0.0.1"]


def test_an_address_is_resolved_once_and_that_one_is_connected():
    """A second look-up between check and connect would be a hole."""
    loop = NamesLoop({"up.example": [["127.0.0.1"]]})
    listener = socket.create_server(("127.0.0.1", 0))

    async def connect() -> None:
        port = listener.getsockname()[1]
        await (await GuardedBackend().connect_tcp("up.example", port, timeout=5)).aclose()

    with listener, asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(connect())

    assert [name for name in loop.asked if not name.startswith("127.")] == ["up.example"]
