"""A register of who made what that keeps nothing, and callers to ask it as."""

from collections.abc import Callable
from time import monotonic

from app.access.memory_objects import MemoryObjects
from app.access.register import Register
from app.domain.principal import Principal

OWN_TEAM = Principal("ada", resources="own", team="red", key_id="key_ada", team_id="team_red")
TEAM_MATE = Principal("bob", resources="own", team="red", key_id="key_bob", team_id="team_red")
OTHER_TEAM = Principal("eve", resources="own", team="blue", key_id="key_eve", team_id="team_blue")
TEAMLESS = Principal("sam", resources="own", key_id="key_sam")
EVERYTHING = Principal("root", resources="all", key_id="key_root")


def memory_register(now: Callable[[], float] = monotonic) -> Register:
    """One that nobody claimed anything in."""
    objects = MemoryObjects()
    return Register(objects, objects.note, now=now)
