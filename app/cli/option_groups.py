"""
Options that many commands share, written down once: a dataclass whose fields are options.

A command takes such a dataclass as one parameter; `expanded` shows typer the options in its place.
"""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints


def expanded(command: Callable[..., None]) -> Callable[..., None]:
    """*command* as typer is to see it: each parameter that is a dataclass of options stands there as these options.

    A field is `Annotated[type, typer.Option(...)]` with a default, and no two have one name.
    """
    wanted = inspect.signature(command).parameters
    annotated: dict[str, Any] = {name: one.annotation for name, one in wanted.items()}
    groups: dict[str, Any] = {
        name: kind
        for name, kind in annotated.items()
        if inspect.isclass(kind) and is_dataclass(kind)
    }

    @wraps(command)
    def with_groups(**given: Any) -> None:
        made = {
            name: group(**{option.name: given.pop(option.name) for option in _options(group)})
            for name, group in groups.items()
        }
        command(**given, **made)

    parameters: list[inspect.Parameter] = []
    for name, parameter in wanted.items():
        parameters += _options(groups[name]) if name in groups else [parameter]
    keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    with_groups.__annotations__ = {one.name: one.annotation for one in keyword}
    # What inspect looks at before anything else, and no type knows of.
    with_groups.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    return with_groups


def _options(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]
