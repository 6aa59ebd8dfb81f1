"""Who is calling (contract B1 to B4, F15, F16; reliability S9, S12)."""

import pytest
from pydantic import SecretStr

from app.access.authenticator import Authenticator, OpenDoor
from app.access.key_format import key_of
from app.access.key_ring import KeyRing
from app.access.pepper import Peppers
from app.domain.configuration import KeyEntry
from app.domain.errors import PermissionDenied, RateLimited, Unauthenticated
from app.protocol.headers import HeaderList
from tests.fakes.clock import Clock

CI_KEY = "sk-mg-ci-0123456789abcdef"
OLD_KEY = "sk-mg-old-0123456789abcdef"
ENDS_AT = 2000.0


def authenticator(clock: Clock | None = None) -> Authenticator:
    keys = (
        KeyEntry("ci", SecretStr(CI_KEY), models=("fast",), resources="own"),
        KeyEntry("old", SecretStr(OLD_KEY), expires_at=ENDS_AT),
    )
    clock = clock or Clock()
    return Authenticator(KeyRing(keys, Peppers([b"p" * 32])), now_seconds=clock, now=clock)


def bearer(key: str) -> HeaderList:
    return [(b"authorization", f"Bearer {key}".encode("latin-1"))]


def refusal(headers: HeaderList, clock: Clock | None = None) -> Unauthenticated:
    with pytest.raises(Unauthenticated) as caught:
        authenticator(clock).authenticate(headers)
    return caught.value


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(bearer(CI_KEY), id="authorization"),
        pytest.param([(b"x-api-key", CI_KEY.encode())], id="x-api-key"),
        pytest.param([(b"api-key", CI_KEY.encode())], id="api-key"),
        pytest.param([*bearer(""), (b"api-key", CI_KEY.encode())], id="an empty one before it"),
        pytest.param([*bearer(CI_KEY), (b"api-key", b"wrong")], id="B2: the first decides"),
    ],
)
def test_a_known_key_is_its_principal_in_every_carrier(headers):
    principal = authenticator().authenticate(headers)

    assert ("ci", ("fast",), "own") == (principal.name, principal.models, principal.resources)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="none"),
        pytest.param(bearer(""), id="an empty one"),
        pytest.param([(b"authorization", b"Basic eDp5")], id="another scheme"),
        pytest.param([(b"cookie", b"key=" + CI_KEY.encode())], id="a cookie"),
    ],
)
def test_f15_no_key(headers):
    error = refusal(headers)

    assert (401, "invalid_api_key") == (error.status, error.code)
    assert "didn't provide an API key" in error.message


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(CI_KEY[:-1], id="one character less"),
        pytest.param(CI_KEY + "x", id="one more"),
        pytest.param(CI_KEY.upper(), id="another case"),
        pytest.param("ci", id="a key's name"),
        pytest.param("k\xe9y-0123456789abcdef", id="8-bit bytes are no 500"),
        pytest.param("x" * 60_000, id="a very long one"),
    ],
)
def test_f16_an_unknown_key(key):
    error = refusal(bearer(key))

    assert (401, "invalid_api_key") == (error.status, error.code)
    assert "Incorrect API key provided" in error.message


def test_b2_a_wrong_key_in_the_first_carrier_is_not_made_good_by_a_right_one():
    refusal([*bearer("wrong-0123456789"), (b"api-key", CI_KEY.encode())])


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("sk-abcdefghijklmnopwxyz", "sk-ab****wxyz"),
        ("sk-short", "****"),
        ("fifteen-letters", "****"),
        ("sixteen-letters!", "sixte****ers!"),
    ],
)
def test_f16_the_key_is_masked(key, shown):
    message = refusal(bearer(key)).message

    assert f": {shown}." in message
    assert key not in message


def test_a_key_that_would_paint_a_terminal_is_shown_without_its_colours():
    assert "\x1b" not in refusal(bearer("\x1b[31mred-key-0123456789\x1b[0m")).message


@pytest.mark.parametrize(
    ("now", "is_over"), [(ENDS_AT - 0.001, False), (ENDS_AT, True), (ENDS_AT + 1, True)]
)
def test_a_key_ends_when_it_says(now, is_over):
    if is_over:
        assert "Incorrect API key" in refusal(bearer(OLD_KEY), Clock(now)).message
    else:
        assert authenticator(Clock(now)).authenticate(bearer(OLD_KEY)).name == "old"


def test_a_key_ends_while_the_gateway_runs():
    clock = Clock(ENDS_AT - 1)
    door = authenticator(clock)
    door.authenticate(bearer(OLD_KEY))

    clock.advance(1)

    with pytest.raises(Unauthenticated):
        door.authenticate(bearer(OLD_KEY))


def test_s9_what_is_kept_holds_no_key():
    ring = KeyRing([KeyEntry("ci", SecretStr(CI_KEY))], Peppers([b"p" * 32]))

    kept = [getattr(ring, name) for name in dir(ring) if not name.startswith("__")]

    assert KeyEntry("ci", SecretStr(CI_KEY)).name in str(kept)  # it does hold who has it
    assert CI_KEY not in str(kept)


OURS = key_of(7)


@pytest.mark.parametrize(
    ("key", "is_mistyped"),
    [
        pytest.param(OURS, False, id="one of our form that nobody has"),
        pytest.param(OURS[:-1] + "?", False, id="a letter that no key has"),
        pytest.param(OURS[:20] + "x" + OURS[21:], True, id="one letter is wrong"),
        pytest.param(OURS[:-1] + "0", True, id="the last letter is wrong"),
        pytest.param("sk-another-0123456789", False, id="another form"),
    ],
)
def test_s8_a_typo_is_told_from_a_key_that_is_gone(key, is_mistyped):
    message = refusal(bearer(key)).message

    assert "Incorrect API key provided" in message
    assert is_mistyped is ("mistyped" in message)
    assert key not in message


def test_s8_a_configured_key_of_our_form_opens_whatever_its_checksum():
    odd = OURS[:-1] + "0"
    ring = KeyRing([KeyEntry("odd", SecretStr(odd))], Peppers([b"p" * 32]))
    clock = Clock()

    assert "odd" == Authenticator(ring, now_seconds=clock, now=clock).authenticate(bearer(odd)).name


def test_s10_the_sixty_first_wrong_key_of_a_minute_is_429_and_right_ones_go_on():
    clock = Clock()
    door = authenticator(clock)
    for number in range(60):
        with pytest.raises(Unauthenticated):
            door.authenticate(bearer(f"wrong-{number}-0123456789"), "192.0.2.1")

    with pytest.raises(RateLimited) as caught:
        door.authenticate(bearer("wrong-0123456789"), "192.0.2.1")

    error = caught.value
    assert (429, "address", "wrong_keys") == (error.status, error.scope, error.limit)
    assert pytest.approx(1.0) == error.retry_after_seconds
    assert "192.0.2.1" not in error.message
    assert "ci" == door.authenticate(bearer(CI_KEY), "192.0.2.1").name
    with pytest.raises(Unauthenticated):
        door.authenticate(bearer("wrong-0123456789"), "192.0.2.2")
    clock.advance(1)
    with pytest.raises(Unauthenticated):
        door.authenticate(bearer("wrong-0123456789"), "192.0.2.1")


def test_f15_no_key_at_all_is_no_guess():
    door = authenticator()
    for _ in range(100):
        with pytest.raises(Unauthenticated):
            door.authenticate([], "192.0.2.1")

    with pytest.raises(Unauthenticated):
        door.authenticate(bearer("wrong-0123456789"), "192.0.2.1")


# --- auth.mode: none ------------------------------------------------------------------------------------------------

OWN = b"http://127.0.0.1:8080"
ALLOWED = "https://app.example"


@pytest.mark.parametrize(
    ("headers", "is_open"),
    [
        pytest.param({}, True, id="B4: no key at all, a script"),
        pytest.param({b"authorization": b"Bearer whatever"}, True, id="B4: any key"),
        pytest.param({b"host": b"127.0.0.1:8080"}, True, id="curl"),
        pytest.param({b"host": b"localhost:8080"}, True, id="by name"),
        pytest.param({b"host": b"LOCALHOST"}, True, id="by name, in capitals"),
        pytest.param({b"host": b"[::1]:8080"}, True, id="by IPv6"),
        pytest.param({b"host": b"[::1]"}, True, id="by IPv6, without a port"),
        # a browser
        pytest.param({b"sec-fetch-site": b"none"}, True, id="an address typed in"),
        pytest.param(
            {b"sec-fetch-site": b"same-origin", b"origin": OWN}, True, id="our own page, /docs"
        ),
        pytest.param({b"sec-fetch-site": b"cross-site"}, False, id="an image in a foreign page"),
        pytest.param(
            {b"sec-fetch-site": b"cross-site", b"origin": b"https://evil.example"},
            False,
            id="a foreign page's fetch",
        ),
        pytest.param({b"origin": b"https://evil.example"}, False, id="a browser that says less"),
        pytest.param({b"origin": b"null"}, False, id="a sandboxed frame or a file"),
        pytest.param(
            {b"sec-fetch-site": b"same-site", b"origin": b"http://localhost:3000"},
            False,
            id="another port of this machine",
        ),
        pytest.param(
            {b"sec-fetch-site": b"cross-site", b"origin": ALLOWED.encode()}, True, id="an allowed one"
        ),
        pytest.param({b"origin": ALLOWED.encode()}, True, id="an allowed one, an older browser"),
        pytest.param(
            {b"origin": b"https://app.example.evil.example"}, False, id="only begins like it"
        ),
        pytest.param({b"origin": b"http://app.example"}, False, id="another scheme"),
        # DNS rebinding
        pytest.param({b"host": b"evil.example:8080"}, False, id="a foreign name for this machine"),
        pytest.param(
            {b"host": b"evil.example", b"origin": b"http://evil.example", b"sec-fetch-site": b"same-origin"},
            False,
            id="a rebound page looks like our own",
        ),
        pytest.param(
            {b"host": b"evil.example", b"origin": ALLOWED.encode()}, False, id="an allowed origin does not help"
        ),
        pytest.param({b"host": b"127.0.0.1.evil.example"}, False, id="a name that begins right"),
        pytest.param({b"host": b"localhost.evil.example"}, False, id="another one"),
        pytest.param({b"host": b"10.0.0.1:8080"}, False, id="an address of the network"),
    ],
)  # fmt: skip
def test_an_open_door_is_open_to_this_machine_and_to_no_foreign_page(headers, is_open):
    door = OpenDoor((ALLOWED,))

    if is_open:
        assert door.authenticate(list(headers.items())).models == ()
    else:
        with pytest.raises(PermissionDenied) as caught:
            door.authenticate(list(headers.items()))
        assert "cors_origins" in caught.value.message
