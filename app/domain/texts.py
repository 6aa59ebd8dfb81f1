"""Text of others, as it may stand in a log line or in the ledger: one bounded line that paints no terminal."""

from typing import Final

LONGEST: Final = 256  # characters


def shown(text: str, longest: int = LONGEST) -> str:
    """*text*, cut at *longest* characters, each that cannot be printed replaced."""
    if len(text) <= longest and text.isprintable():  # nearly always
        return text
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[:longest]
    )
