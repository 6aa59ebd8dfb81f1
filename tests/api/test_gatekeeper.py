"""Who may see metrics and documentation: the matrix of reliability S27."""

import pytest
from pydantic import SecretStr

from app.api.gatekeeper import Gatekeeper
from app.domain.errors import Unauthenticated

TOKEN, ADMIN, VIEWER = "metrics-0123456789", "admin-0123456789", "viewer-0123456789"
EVERYWHERE, LOOPBACK = False, True


def keeper(*, is_open: bool, secrets: str) -> Gatekeeper:
    return Gatekeeper(
        is_open,
        SecretStr(TOKEN) if "token" in secrets else None,
        SecretStr(ADMIN) if "admin" in secrets else None,
        SecretStr(VIEWER) if "viewer" in secrets else None,
    )


def may(check, authorization: str) -> bool:
    try:
        check(authorization)
    except Unauthenticated:
        return False
    return True


BOTH = "token and admin"


@pytest.mark.parametrize(
    ("is_open", "secrets", "given", "metrics", "docs"),
    [
        pytest.param(LOOPBACK, "", "", True, True, id="loopback: open"),
        pytest.param(LOOPBACK, BOTH, "", True, True, id="loopback: open though there are tokens"),
        pytest.param(LOOPBACK, BOTH, "Bearer wrong", True, True, id="loopback: a wrong one is no matter"),
        pytest.param(EVERYWHERE, "", "", False, False, id="elsewhere, no token set: shut"),
        pytest.param(EVERYWHERE, "", "Bearer ", False, False, id="elsewhere, no token set, an empty one"),
        pytest.param(EVERYWHERE, BOTH, "", False, False, id="elsewhere: none given"),
        pytest.param(EVERYWHERE, BOTH, "Bearer wrong", False, False, id="elsewhere: a wrong one"),
        pytest.param(EVERYWHERE, BOTH, f"Bearer {TOKEN}", True, False, id="the token is for metrics alone"),
        pytest.param(EVERYWHERE, BOTH, f"Bearer {ADMIN}", True, True, id="the admin key is for both"),
        pytest.param(EVERYWHERE, "admin, viewer", f"Bearer {VIEWER}", True, True, id="both are for reading"),
        pytest.param(EVERYWHERE, "viewer", f"Bearer {VIEWER}", True, True, id="a viewer without an admin"),
        pytest.param(EVERYWHERE, BOTH, f"Bearer {VIEWER}", False, False, id="a viewer key nobody set"),
        pytest.param(EVERYWHERE, "token", f"Bearer {TOKEN}", True, False, id="without an admin key"),
        pytest.param(EVERYWHERE, "token", f"Bearer {ADMIN}", False, False, id="an admin key nobody set"),
        pytest.param(EVERYWHERE, "admin", f"Bearer {ADMIN}", True, True, id="without a token"),
        pytest.param(EVERYWHERE, BOTH, f"bearer  {ADMIN} ", True, True, id="blanks and case do not matter"),
        pytest.param(EVERYWHERE, BOTH, ADMIN, False, False, id="no scheme"),
        pytest.param(EVERYWHERE, BOTH, f"Basic {ADMIN}", False, False, id="another scheme"),
        pytest.param(EVERYWHERE, BOTH, f"Bearer {ADMIN}x", False, False, id="one letter more"),
        pytest.param(EVERYWHERE, BOTH, f"Bearer {ADMIN[:-1]}", False, False, id="one less"),
        pytest.param(EVERYWHERE, BOTH, "Bearer k\xe9y", False, False, id="8-bit letters"),
    ],
)  # fmt: skip
def test_who_may_see_what(is_open, secrets, given, metrics, docs):
    found = keeper(is_open=is_open, secrets=secrets)

    assert metrics is may(found.check_metrics, given)
    assert docs is may(found.check_documentation, given)


def test_a_refusal_is_401_and_names_no_secret():
    with pytest.raises(Unauthenticated) as caught:
        keeper(is_open=EVERYWHERE, secrets=BOTH).check_metrics("Bearer wrong")

    assert caught.value.status == 401
    assert TOKEN not in caught.value.message


def test_an_empty_secret_opens_nothing():
    """Reliability S12."""
    found = Gatekeeper(EVERYWHERE, SecretStr(""), SecretStr(""), SecretStr(""))

    assert not may(found.check_metrics, "Bearer ")
    assert not may(found.check_documentation, "")
