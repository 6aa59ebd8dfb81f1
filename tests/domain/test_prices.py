"""What an exchange costs, to the nano-dollar (reliability J13; upstreams A7, A13)."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.domain.prices import Price
from app.domain.usage import Usage

COUNT = some.integers(0, 10**9)
EACH = some.integers(0, 10**12)


@pytest.mark.parametrize(
    ("price", "characters", "audio_ms", "nano"),
    [
        pytest.param(Price(character=15_000_000), 4096, 0, 61_440_000, id="A7: by the character"),
        pytest.param(Price(audio_second=100_000_000), 0, 3_200, 320_000, id="A13: by the second"),
        pytest.param(Price(audio_second=1), 0, 500, 0, id="half a pico-dollar is nothing"),
        pytest.param(Price(audio_second=1000), 0, 499, 0, id="rounded down"),
        pytest.param(Price(audio_second=1000), 0, 500, 1, id="half up"),
        pytest.param(Price(character=500), 1, 0, 1, id="half up by the character"),
        pytest.param(Price(request=7_000), 10, 10, 7, id="by the request alone"),
        pytest.param(
            Price(input=1_000, request=1_000, character=1_000, audio_second=1_000_000),
            1,
            1,
            1 + 10 + 1 + 1,
            id="all of it is one sum",
        ),
    ],
)
def test_sound_has_its_price(price, characters, audio_ms, nano):
    assert nano == price.cost_nano(Usage(10, 0), characters, audio_ms)


@given(EACH, EACH, COUNT, COUNT)
def test_an_exchange_is_rounded_once(request, character, characters, tokens):
    """Whichever way the sum is made: sound beside tokens changes no other part of it."""
    price = Price(input=3, request=request, character=character, audio_second=0)
    exact = (request + tokens * 3 + characters * character + 500) // 1000

    assert exact == price.cost_nano(Usage(tokens, 0), characters)
    assert price.cost_nano(Usage(tokens, 0)) == price.cost_nano(Usage(tokens, 0), 0, 999)
