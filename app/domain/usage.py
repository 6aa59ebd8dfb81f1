"""Tokens of one answer, as the upstream counted them."""

import msgspec


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Input and output tokens; *cached_input_tokens* are part of the input."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
