"""Who is calling, once the key is known."""

from dataclasses import dataclass
from typing import Literal

from app.domain.limits import Scope

Resources = Literal["own", "all"]
Native = Literal["use", "read", "manage"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller and what it may do.

    *models*: patterns of names or `upstream/name`; empty means every model (architecture 5). *team_models*: its team's;
    both must allow what is used. *resources* `all`: may touch what others made, deleting a model included.
    *scopes*: whose limits a request of this caller counts against, its own first; *key_id* and *team_id* are theirs,
    "" where there is none.
    """

    name: str
    models: tuple[str, ...] = ()
    resources: Resources = "all"
    team: str = ""
    key_id: str = ""
    team_id: str = ""
    team_models: tuple[str, ...] = ()
    native: tuple[Native, ...] = ()
    scopes: tuple[Scope, ...] = ()
    max_tokens: int | None = None
