"""Architecture 5, reliability S12: what others can reach asks for a key, or does not start."""

import pytest

from app.domain.errors import ConfigurationError
from tests.config.settings_from import KEY, LOCAL, load

WITH_KEY = f"keys: [{{name: a, key: {KEY}}}]\n"


@pytest.mark.parametrize(
    ("host", "mode", "keys", "starts"),
    [
        pytest.param("127.0.0.1", "keys", "", True, id="loopback without a key: main makes one"),
        pytest.param("localhost", "keys", "", True, id="localhost is loopback"),
        pytest.param("::1", "keys", "", True, id="so is ::1"),
        pytest.param("127.0.0.1", "none", "", True, id="no authentication, for oneself"),
        pytest.param("0.0.0.0", "keys", WITH_KEY, True, id="everywhere, with a key"),  # noqa: S104
        pytest.param("0.0.0.0", "keys", "", False, id="everywhere, without a key"),  # noqa: S104
        pytest.param("::", "keys", "", False, id="everywhere in IPv6"),
        pytest.param("192.168.1.5", "keys", "", False, id="in the house"),
        pytest.param("gateway.example", "keys", "", False, id="a name"),
        pytest.param("::", "keys", "storage: {url: none}\n", False, id="a database less"),
        pytest.param("0.0.0.0", "none", WITH_KEY, False, id="open to everybody"),  # noqa: S104
    ],
)
def test_the_start(folder, host, mode, keys, starts):
    text = LOCAL + keys + f"auth: {{mode: {mode}}}"
    try:
        found = load(folder, text, overrides={"server.host": host})
    except ConfigurationError:
        assert not starts
    else:
        assert starts
        assert ("keys:" in keys) == bool(found.keys)


@pytest.mark.parametrize(
    ("text", "environment", "overrides", "line"),
    [
        pytest.param(
            "",
            {},
            {"server.host": "0.0.0.0"},  # noqa: S104
            "command line: server.host: others can reach this address, and there is no key;"
            " add an entry with name and key under keys:, or set MINDGATE_KEYS,"
            " or set MINDGATE_ADMIN_KEY and make keys with it; make one with: openssl rand -hex 24",
            id="the option is named, and what to add",
        ),
        pytest.param(
            "storage: {url: none}",
            {"MINDGATE_SERVER__HOST": "0.0.0.0"},  # noqa: S104
            {},
            "environment: server.host (MINDGATE_SERVER__HOST): others can reach this address, and"
            " there is no key; add an entry with name and key under keys:, or set MINDGATE_KEYS;"
            " make one with: openssl rand -hex 24",
            id="an admin key has nowhere to keep keys",
        ),
        pytest.param(
            "",
            {"MINDGATE_SERVER__HOST": "0.0.0.0", "MINDGATE_VIEWER_KEY": KEY},  # noqa: S104
            {},
            "environment: server.host (MINDGATE_SERVER__HOST): others can reach this address, and"
            " there is no key; add an entry with name and key under keys:, or set MINDGATE_KEYS,"
            " or set MINDGATE_ADMIN_KEY and make keys with it; make one with: openssl rand -hex 24",
            id="a viewer makes no keys",
        ),
        pytest.param(
            "auth: {mode: none}",
            {},
            {"server.host": "::"},
            "mindgate.yaml: auth.mode: none works on a loopback address only, and others can reach"
            " server.host; set it to keys, or server.host to 127.0.0.1",
            id="no authentication for everybody",
        ),
        pytest.param(
            "auth: {mode: none}\nserver: {cors_origins: ['*']}",
            {},
            {},
            "mindgate.yaml: server.cors_origins: must not be * with auth.mode none:"
            " any web page could spend your money",
            id="no authentication for every web page",
        ),
    ],
)
def test_a_refusal_says_what_to_do(folder, text, environment, overrides, line):
    with pytest.raises(ConfigurationError) as caught:
        load(folder, LOCAL + text, environment=environment, overrides=overrides)

    assert line == str(caught.value).replace(f"{folder}/", "")


def test_who_has_the_admin_key_can_make_the_first_key(folder):
    environment = {"MINDGATE_SERVER__HOST": "::", "MINDGATE_ADMIN_KEY": KEY}

    assert () == load(folder, LOCAL, environment=environment).keys
