"""
Stored objects as strict SDKs read them: what an upstream leaves out is spliced in behind its own members (contract L8,
M2, M11). What is there stays as it came, whatever it says.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from app.domain.stored_objects import ObjectKind
from app.protocol.lists import object_members, with_members
from app.protocol.lossless import NULL, UNREADABLE, array_of, literal
from app.protocol.members import Members

Shape = Literal["job", "file", "none"]

_JOB: Mapping[str, bytes] = {
    "object": b'"fine_tuning.job"',
    "created_at": b"0",
    "model": b'""',
    "organization_id": b'""',
    "result_files": b"[]",
    "seed": b"0",
    "status": b'"queued"',
    "training_file": b'""',
    "hyperparameters": b"{}",
    "error": NULL,
    "finished_at": NULL,
    "fine_tuned_model": NULL,
    "trained_tokens": NULL,
    "validation_file": NULL,
}
_FILE: Mapping[str, bytes] = {
    "object": b'"file"',
    "bytes": b"0",
    "created_at": b"0",
    "filename": b'""',
    "purpose": b'"user_data"',
    "status": b'"processed"',
}
_SHAPES: Mapping[Shape, Mapping[str, bytes]] = {"job": _JOB, "file": _FILE, "none": {}}
_DELETED: Mapping[ObjectKind, bytes] = {
    "file": b'"file"',
    "job": b'"fine_tuning.job"',
    "dataset": b'"dataset"',
    "completion": b'"chat.completion.deleted"',
    "model": b'"model"',
    "thread": b'"thread.deleted"',
}


_UNFINISHED = ("validating_files", "pending", "created", "queued", "running", "paused")


class _Told(msgspec.Struct):
    model: object = None
    fine_tuned_model: str | None = None
    fine_tuned_model_checkpoint: str | None = None
    training_file: str | None = None
    status: object = None  # a checkpoint has none


class _Deletion(msgspec.Struct):
    deleted: bool = True


_ROWS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_TOLD = msgspec.json.Decoder(_Told)
_DELETION = msgspec.json.Decoder(_Deletion)


def filled(text: bytes, shape: Shape, found: Members | None = None) -> bytes:
    """The object *text* with what its *shape* lacks; *text* itself where that is nothing, or it is no object. *found*:
    its members, where they are known."""
    wanted = _SHAPES[shape]
    if not wanted:
        return text
    found = object_members(text) if found is None else found
    if found is None or "id" not in found:
        return text
    return with_members(text, {name: wanted[name] for name in wanted if name not in found})


def all_filled(items: Sequence[bytes], shape: Shape) -> list[bytes]:
    """Each of *items* as `filled` has it."""
    wanted = _SHAPES[shape].keys()
    if not wanted:
        return list(items)
    try:
        rows = _ROWS.decode(array_of(items))  # at once: nearly every item lacks nothing
    except UNREADABLE:
        return [filled(item, shape) for item in items]
    pairs = zip(items, rows, strict=True)
    return [item if wanted <= row.keys() else filled(item, shape) for item, row in pairs]


def deletion(text: bytes, kind: ObjectKind, object_id: str) -> bytes:
    """The answer to a DELETE of *object_id* that succeeded; *text*: the upstream's, which may be empty."""
    usual = {"id": literal(object_id), "object": _DELETED[kind], "deleted": b"true"}
    found = object_members(text)
    if found is None:
        return with_members(b"{}", usual)
    return with_members(text, {name: usual[name] for name in usual if name not in found})


def was_deleted(text: bytes) -> bool:
    """False where the answer to a DELETE says that nothing was deleted."""
    try:
        return _DELETION.decode(text).deleted
    except UNREADABLE:
        return True


def models_made(told: bytes) -> tuple[str, ...]:
    """The models that a job, or one of its checkpoints, says it has made; most have made none.

    The one that it began with is not among them: that is nobody's. Nor is what an unfinished job names: an upstream
    that shows what it was sent would else let anybody claim any model.
    """
    if b'"fine_tuned_model' not in told:
        return ()
    try:
        found = _TOLD.decode(told)
    except UNREADABLE:
        return ()
    if found.status in _UNFINISHED:
        return ()
    named = (found.fine_tuned_model, found.fine_tuned_model_checkpoint)
    return tuple(model for model in named if model and model != found.model)


def training_file(told: bytes) -> str:
    """The id of the file that a job trains on; "" where it names none."""
    try:
        return _TOLD.decode(told).training_file or ""
    except UNREADABLE:
        return ""
