"""Tokens of one answer, as the upstream counted them."""

from typing import NamedTuple


class Usage(NamedTuple):
    """Input and output tokens; *cached_input_tokens* are part of the input."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
