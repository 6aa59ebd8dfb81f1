"""The key that is made, the demo's configuration, where a person finds the gateway (architecture 5, S12)."""

import socket

import pytest
from pydantic import SecretStr

from app.domain.configuration import Configuration, KeyEntry, ServerOptions, UpstreamEntry
from app.domain.errors import ConfigurationError
from app.main.demo import EXAMPLE_MODELS, demo_configuration
from app.main.serving import base_url, made_key
from app.simulators.server import Simulators

KEY = KeyEntry("ci", SecretStr("sk-mg-0123456789abcdef"))
UPSTREAM = UpstreamEntry("minds", "minds", api_key=SecretStr("up-0123456789abcdef"))
ANYWHERE = ServerOptions(host="0.0.0.0")  # noqa: S104 compared, never bound


@pytest.mark.parametrize(
    ("configuration", "is_made"),
    [
        pytest.param(
            Configuration(upstreams=(UPSTREAM,)), True, id="loopback, no key: one is made"
        ),
        pytest.param(Configuration(keys=(KEY,)), False, id="loopback, a key: none"),
        pytest.param(Configuration(auth_mode="none"), False, id="no keys wanted: none"),
        pytest.param(
            Configuration(keys=(KEY,), server=ANYWHERE), False, id="any address, a key: none"
        ),
    ],
)
def test_when_a_key_is_made(configuration, is_made):
    assert is_made is (made_key(configuration) is not None)


def test_s12_on_another_address_without_a_key_it_does_not_start():
    with pytest.raises(ConfigurationError, match="at least one key"):
        made_key(Configuration(server=ANYWHERE, upstreams=(UPSTREAM,)))


def test_a_made_key_is_the_same_from_start_to_start():
    one, two = (made_key(Configuration(upstreams=(UPSTREAM,))) for _ in range(2))

    assert one is not None
    assert one == two
    assert "up-0123456789" not in one.get_secret_value()


def test_s12_without_any_upstream_key_a_made_key_is_not_one_that_everybody_can_make():
    keyless = Configuration(
        upstreams=(UpstreamEntry("local", "openai", base_url="http://127.0.0.1:9/v1"),)
    )

    assert made_key(keyless) != made_key(keyless)


@pytest.mark.parametrize(
    ("family", "host", "url"),
    [
        (socket.AF_INET, "127.0.0.1", "http://127.0.0.1:{port}/v1"),
        (socket.AF_INET6, "::1", "http://[::1]:{port}/v1"),
    ],
)
def test_the_base_url_can_be_pasted_into_an_sdk(family, host, url):
    with socket.create_server((host, 0), family=family) as listener:
        assert url.format(port=listener.getsockname()[1]) == base_url(listener)


async def test_the_demo_has_one_upstream_of_each_dialect_and_all_are_simulated():
    async with await Simulators.start() as simulators:
        configuration = demo_configuration(simulators, ServerOptions())

        assert {one.dialect for one in configuration.upstreams} == set(EXAMPLE_MODELS)
        origin = f"http://127.0.0.1:{simulators.port}/"
        assert all((one.base_url or "").startswith(origin) for one in configuration.upstreams)
        names = {one.name for one in configuration.upstreams}
        targets = [target for route in configuration.routes for target in route.targets]
        assert {target.partition("/")[0] for target in targets} <= names
        assert any(len(route.targets) > 1 for route in configuration.routes)
