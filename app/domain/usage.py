"""Tokens of one answer, as the upstream counted them."""

from dataclasses import dataclass


@dataclass(slots=True, init=False)
class Usage:
    """Input and output tokens; *cached_input_tokens* are part of the input. Nobody changes one that is made.

    The `__init__` is written out, here and wherever an exchange makes such an object: the one that `dataclass` makes
    stays interpreted in a compiled module, and a frozen one takes no other (docs/decisions/0018).
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int

    def __init__(self, input_tokens: int, output_tokens: int, cached_input_tokens: int = 0) -> None:
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.cached_input_tokens = cached_input_tokens
