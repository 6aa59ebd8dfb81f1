"""Who is who: the simulated dialects with their paths and keys (X1) and their clocks (X3)."""

from __future__ import annotations

KEYS = {
    "4minds": "sim-4minds",
    "minds": "sim-minds",
    "openmind": "sim-openmind",
    "openai": "sim-openai",
}

PREFIXES = {
    "4minds": "/4minds/v1",
    "minds": "/minds",
    "openmind": "/openmind/api/core",
    "openai": "/openai/v1",
    "riva-asr": "/openmind-asr",
    "vila": "/openmind-vila",
}

SOCKETS = ("riva-asr", "vila")  # addresses of OpenMind's that speak websockets alone

# The instants in the seed documents (X3); the generic dialect has none, so it gets OpenAI's sample.
CREATED = {
    "4minds": 1740830400,
    "minds": 1702685778,
    "openmind": 1742147458,
    "openai": 1677652288,
}
