"""How long a client is waited for, and how far it may be ahead (reliability R1 to R4, F9)."""

from typing import Final

HEADER_SECONDS: Final = 10.0  # R1: for a whole head, from its first byte
IDLE_SECONDS: Final = 75.0  # R1: between two requests
BODY_IDLE_SECONDS: Final = 30.0  # R2: between two pieces of a body
WRITE_STALL_SECONDS: Final = 30.0  # R3: from high water to low
LINGER_SECONDS: Final = 2.0  # for a client to read a reply while it still sends
MOST_AHEAD: Final = 8
MOST_HELD_BYTES: Final = 64 * 1024  # of requests beyond those
PING_SECONDS: Final = 25.0  # between two of a websocket
HIGH_WATER_BYTES: Final = 64 * 1024
LOW_WATER_BYTES: Final = 16 * 1024
