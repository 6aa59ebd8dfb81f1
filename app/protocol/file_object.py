"""What an upload was answered with: the file's id, and the members that strict readers miss (contract L8)."""

import re
from typing import NamedTuple

from app.protocol.lists import object_members, with_members
from app.protocol.lossless import literal, members, text_of

_INTEGER = re.compile(rb"-?[0-9]{1,19}")


class UploadedFile(NamedTuple):
    """What is known of a file from the form that it came in. *purpose* None: the form did not say."""

    filename: str
    size_bytes: int
    purpose: str | None
    created_at: int


class MadeByUpload(NamedTuple):
    """What an upload made: the ids of the file and of its data set, a number as its decimal text; None where the answer
    names none."""

    file_id: str | None
    dataset_id: str | None


def made_by_upload(answer: bytes) -> MadeByUpload:
    """What *answer* says was made. Raises NotJson for anything but one JSON object."""
    found = members(answer)
    return MadeByUpload(_id(found.get("id")), _id(found.get("dataset_id")))


def whole_file_object(answer: bytes, file: UploadedFile) -> bytes:
    """*answer* byte for byte, with the members of OpenAI's FileObject added that it lacks; no object stays as it is."""
    found = object_members(answer)
    if found is None:
        return answer
    usual = {
        "object": b'"file"',
        "bytes": b"%d" % file.size_bytes,
        "created_at": b"%d" % file.created_at,
        "filename": literal(file.filename),
        "purpose": literal(file.purpose or "user_data"),
        "status": b'"processed"',
    }
    return with_members(answer, {name: usual[name] for name in usual if name not in found})


def _id(value: bytes | None) -> str | None:
    if value is not None and _INTEGER.fullmatch(value):
        return value.decode()
    return text_of(value) or None
