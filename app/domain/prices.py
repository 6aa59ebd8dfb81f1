"""
What a deployment costs, exactly: integers of pico-dollars, since a token may cost less than a nano-dollar.

The only rounding is at the end of one exchange, half up to the nano-dollar.
"""

from dataclasses import dataclass
from typing import Final

from app.domain.usage import Usage

_PICO_IN_NANO: Final = 1000
_MS_IN_SECOND: Final = 1000


@dataclass(frozen=True, slots=True)
class Price:
    """Each in pico-dollars: per token, request, second of audio, character. *cached_input* None: as input."""

    input: int = 0
    output: int = 0
    cached_input: int | None = None
    request: int = 0
    audio_second: int = 0
    character: int = 0

    def cost_nano(self, usage: Usage, characters: int = 0, audio_ms: int = 0) -> int:
        """What one answered request with *usage* costs, in nano-dollars; *characters* of speech, *audio_ms* of
        recognised sound."""
        cached = usage.cached_input_tokens
        cached_price = self.input if self.cached_input is None else self.cached_input
        pico = (
            self.request
            + (usage.input_tokens - cached) * self.input
            + cached * cached_price
            + usage.output_tokens * self.output
        )
        if characters or audio_ms:
            femto = (pico + characters * self.character) * _MS_IN_SECOND
            femto += audio_ms * self.audio_second
            one = _PICO_IN_NANO * _MS_IN_SECOND
            return (femto + one // 2) // one
        return (pico + _PICO_IN_NANO // 2) // _PICO_IN_NANO
