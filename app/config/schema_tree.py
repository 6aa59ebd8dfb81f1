"""
The schema as a tree: which keys may stand where.

For what needs the names rather than the values: did-you-mean, the reference page, and which settings are secrets.
"""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from app.config.schema import Settings

Where = tuple[str | int, ...]

NAME = "NAME"  # stands for any key of a mapping that a person fills, such as an upstream's name
EACH = "[]"  # stands for any place in a list


def settings(
    model: type[BaseModel] = Settings, above: Where = ()
) -> Iterator[tuple[Where, FieldInfo]]:
    """Every key the file may hold with its field, parents before children, in the schema's order."""
    for name, field in model.model_fields.items():
        yield (*above, name), field
        steps, inner = _descend(field.annotation)
        if inner is not None:
            yield from settings(inner, (*above, name, *steps))


def keys_at(where: Where) -> tuple[str, ...]:
    """The keys that may stand in the mapping at *where*; empty where any may, or none."""
    return tuple(
        str(place[-1])
        for place, _ in settings()
        if len(place) == len(where) + 1 and matches(place[:-1], where)
    )


def secret_settings() -> tuple[Where, ...]:
    """Where a secret may stand; a mapping of secrets ends in NAME, a list of them in EACH."""
    return tuple(
        (*place, *_step_into(field.annotation))
        for place, field in settings()
        if _holds_secret(field.annotation)
    )


def matches(place: Where, where: Where) -> bool:
    """Whether the concrete *where* is an instance of *place*, which may hold NAME and EACH."""
    return len(place) == len(where) and all(
        expected == (EACH if isinstance(step, int) else step)
        or (expected == NAME and isinstance(step, str))
        for expected, step in zip(place, where, strict=True)
    )


def dotted(where: Where) -> str:
    """`keys[0].rpm`, `upstreams.minds.api_key`."""
    text = ""
    for step in where:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".").replace(f".{EACH}", EACH)


def _descend(annotation: Any) -> tuple[Where, type[BaseModel] | None]:
    """The section that an annotation leads to, and the steps between."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (), annotation
    origin, arguments = get_origin(annotation), get_args(annotation)
    step = _step_into(annotation)
    for argument in arguments[1:] if origin is dict else arguments:
        steps, model = _descend(argument)
        if model is not None:
            return (*step, *steps), model
    return (), None


def _step_into(annotation: Any) -> Where:
    """What stands for any entry of a mapping or a list; () for anything else."""
    steps: dict[Any, Where] = {dict: (NAME,), tuple: (EACH,)}
    return steps.get(get_origin(annotation), ())


def _holds_secret(annotation: Any) -> bool:
    if annotation is SecretStr:
        return True
    if get_origin(annotation) in (Annotated, Union, UnionType, dict, tuple):
        return any(_holds_secret(argument) for argument in get_args(annotation))
    return False
