"""
The capability matrix as data (upstreams, section 2): what each dialect has, and in which form.

A row that is `-` all along is a route of the matrix that this version serves nowhere yet. `docs/upstreams.md` shows the
same table, and a test compares the two.
"""

from collections.abc import Mapping

from app.domain.configuration import DialectName, Support

_Cells = tuple[Support, Support, Support, Support]

_DIALECTS: tuple[DialectName, ...] = ("4minds", "minds", "openmind", "openai")
_NOWHERE: _Cells = ("-", "-", "-", "-")
MATRIX: Mapping[str, _Cells] = {
    "chat.create": ("native", "map", "map", "native"),
    "chat.stored": ("native", "-", "-", "native"),
    "models.list": ("native", "map", "local", "native"),
    "models.get": ("native", "map", "local", "native"),
    "models.delete": ("native", "-", "-", "native"),
    "completions": _NOWHERE,
    "responses": _NOWHERE,
    "messages": _NOWHERE,
    "embeddings": ("-", "-", "-", "native"),
    "audio.speech": ("-", "-", "map", "native"),
    "audio.transcriptions": ("-", "-", "map", "native"),
    "realtime.transcription": _NOWHERE,
    "realtime.conversation": _NOWHERE,
    "files": ("native", "-", "-", "native"),
    "files.content": ("-", "-", "-", "native"),
    "fine_tuning": ("native", "-", "-", "native"),
    "fine_tuning.more": ("-", "-", "-", "native"),
    "fine_tune_categories": ("native", "-", "-", "-"),
    "datasets": ("native", "-", "-", "-"),
    "external_models": ("native", "-", "-", "-"),
    "families": ("-", "-", "-", "native"),
    "other": _NOWHERE,
}
SERVED = frozenset(name for name, cells in MATRIX.items() if cells != _NOWHERE)


def capabilities_of(dialect: DialectName) -> dict[str, Support]:
    """Every capability of the matrix with the cell of *dialect*."""
    column = _DIALECTS.index(dialect)
    return {name: cells[column] for name, cells in MATRIX.items()}


def dialects_with(capability: str) -> tuple[DialectName, ...]:
    """The dialects that have *capability* in any form."""
    cells = MATRIX.get(capability, _NOWHERE)
    return tuple(name for name, support in zip(_DIALECTS, cells, strict=True) if support != "-")
