"""Options that several commands have together, as the fields of one dataclass: named, explained and given once.

A command takes them as its first argument: `@with_options(TargetOptions)` before `def command(target, ...)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints

Command = Callable[..., None]


def with_options(group: type[Any]) -> Callable[[Command], Command]:
    """A decorator that puts the fields of a dataclass, which are options, in place of a command's first parameter."""

    def decorate(command: Command) -> Command:
        hints = get_type_hints(group, include_extras=True)
        shared = [
            Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name])
            for field in fields(group)
        ]
        names = {parameter.name for parameter in shared}
        _, *own = signature(command, eval_str=True).parameters.values()

        def run_command(**given: Any) -> None:
            command(
                group(**{name: value for name, value in given.items() if name in names}),
                **{name: value for name, value in given.items() if name not in names},
            )

        parameters = [*shared, *(parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in own)]
        run: Any = run_command  # typer reads these attributes
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = Signature(parameters)
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run_command

    return decorate
