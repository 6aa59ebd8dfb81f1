"""
The routes of stored objects as data: what each does to which kind of object, and how its lists page (upstreams 3.1,
contract L8, M2 to M11).
"""

from dataclasses import dataclass
from typing import Literal

from app.domain.stored_objects import ObjectKind
from app.protocol.object_shapes import Shape

Act = Literal["list", "create", "read", "change", "cancel", "delete", "parts", "plain"]


@dataclass(frozen=True, slots=True)
class Row:
    """One route.

    *act*: `list` its objects, `create`, `read`, `change` or `delete` one, `cancel` one (a change that needs no body),
    list the `parts` of one; `plain` shows what is nobody's own. *path*: below the base URL; `{id}` is the object's.
    *shape*: what its objects are repaired to. *usual*, *most*: items to a page (contract M8). *has_ends*: pages tell
    their first and last id (M6). *is_bare*: a page says nothing of further ones, and none is added (upstreams F19).
    """

    act: Act
    path: str
    kind: ObjectKind = "file"
    shape: Shape = "none"
    usual: int = 20
    most: int = 100
    has_ends: bool = False
    is_bare: bool = False


_MOST = 10_000
_COMPLETIONS, _JOBS = "/chat/completions", "/fine_tuning/jobs"
_FILES, _DATASETS = "/files", "/datasets"

ROWS: dict[str, Row] = {  # by method and path, as the endpoint table has them
    "GET chat/completions": Row("list", _COMPLETIONS, "completion", has_ends=True),
    "GET chat/completions/{id}": Row("read", f"{_COMPLETIONS}/{{id}}", "completion"),
    "POST chat/completions/{id}": Row("change", f"{_COMPLETIONS}/{{id}}", "completion"),
    "DELETE chat/completions/{id}": Row("delete", f"{_COMPLETIONS}/{{id}}", "completion"),
    "GET chat/completions/{id}/messages": Row(
        "parts", f"{_COMPLETIONS}/{{id}}/messages", "completion", has_ends=True
    ),
    "GET files": Row("list", _FILES, "file", "file", _MOST, _MOST, has_ends=True),
    "GET files/{id}": Row("read", f"{_FILES}/{{id}}", "file", "file"),
    "DELETE files/{id}": Row("delete", f"{_FILES}/{{id}}", "file"),
    "GET fine_tuning/jobs": Row("list", _JOBS, "job", "job"),
    "POST fine_tuning/jobs": Row("create", _JOBS, "job", "job"),
    "GET fine_tuning/jobs/{id}": Row("read", f"{_JOBS}/{{id}}", "job", "job"),
    "POST fine_tuning/jobs/{id}/cancel": Row("cancel", f"{_JOBS}/{{id}}/cancel", "job", "job"),
    "POST fine_tuning/jobs/{id}/pause": Row("cancel", f"{_JOBS}/{{id}}/pause", "job", "job"),
    "POST fine_tuning/jobs/{id}/resume": Row("cancel", f"{_JOBS}/{{id}}/resume", "job", "job"),
    "GET fine_tuning/jobs/{id}/events": Row("parts", f"{_JOBS}/{{id}}/events", "job"),
    "GET fine_tuning/jobs/{id}/checkpoints": Row("parts", f"{_JOBS}/{{id}}/checkpoints", "job"),
    "GET datasets": Row("list", _DATASETS, "dataset", "none", _MOST, _MOST, is_bare=True),
    "POST datasets": Row("create", _DATASETS, "dataset"),
    "POST datasets/import": Row("create", f"{_DATASETS}/import", "dataset"),
    "GET datasets/{id}": Row("read", f"{_DATASETS}/{{id}}", "dataset"),
    "DELETE datasets/{id}": Row("delete", f"{_DATASETS}/{{id}}", "dataset"),
    "GET fine-tune-categories": Row("plain", "/fine-tune-categories"),
    "GET external-models": Row("plain", "/external-models"),
}
