"""Who is calling, once the key is known."""

from dataclasses import dataclass
from typing import Literal

Resources = Literal["own", "all"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller and what it may do.

    *models*: patterns of names or `upstream/name`; empty means every model (architecture 5).
    *resources* `all`: may touch what others made, deleting a model included.
    """

    name: str
    models: tuple[str, ...] = ()
    resources: Resources = "all"
