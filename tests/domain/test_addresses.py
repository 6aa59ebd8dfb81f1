"""Which listening addresses only this machine can reach."""

import pytest

from app.domain.addresses import is_loopback


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("localhost", True),
        ("LocalHost", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("", False),
        ("10.0.0.1", False),
        ("127.1", False),
        ("localhost.example", False),
    ],
)
def test_a_loopback_address(host, loopback):
    assert loopback == is_loopback(host)
