"""Play a history that was kept, and tell it step by step.

    python -m tests.model.replay NAME|FILE [--on scripts|service] [--shrink]

NAME is one of build/histories (what failed) or of tests/model/histories (what is played every time). With --shrink a
history that fails is made as short as it can be, and kept as NAME-short. Exit status 1 if it fails.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import redis

from tests.model import history
from tests.model.history import Action, Send
from tests.model.lua_stage import LuaStage
from tests.model.service_stage import ServiceStage, Town
from tests.model.stage import Stage
from tests.valkey_server import start_valkey

Stages = Callable[[], Stage]


@contextmanager
def stages(on: str) -> Iterator[Stages]:
    """Where histories can be played, one after the other."""
    if on == "service":
        town = Town()
        try:
            yield lambda: ServiceStage(town)
        finally:
            town.close()
    else:
        with (
            tempfile.TemporaryDirectory(prefix="w") as path,
            start_valkey(Path(path)) as server,
            redis.Redis.from_url(server.url) as client,
        ):
            yield lambda: LuaStage(client)


def tell(stage: Stage, actions: Sequence[Action]) -> Exception | None:
    """Play and print. What went wrong, if anything did."""
    for number, action in enumerate(actions, 1):
        print(f"{number:4} {msgspec.json.encode(action).decode()}")
        try:
            stage.play(action)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            print(f"     {type(error).__name__}: {error}")
            return error
        answer = stage.last_answer
        if isinstance(action, Send) and answer is not None:
            print(f"     {answer.code} {answer.reason}, balance {answer.balance}, debt {answer.debt}")
    return None


def fails(play: Callable[..., None], *arguments: object) -> bool:
    """Whether a wrong answer, a refusal to fold, an error of Redis shows."""
    try:
        play(*arguments)
    except Exception:  # noqa: BLE001 - see above
        return True
    return False


def shortest(actions: Sequence[Action], still_fails: Callable[[Sequence[Action]], bool]) -> list[Action]:
    """Leave out ever smaller parts, for as long as what is left still fails (delta debugging)."""
    left, size = list(actions), max(1, len(actions) // 2)
    while size:
        at, before = 0, len(left)
        while at < len(left):
            fewer = left[:at] + left[at + size :]
            if still_fails(fewer):
                left = fewer
            else:
                at += size
        if size > 1 or len(left) == before:
            size //= 2
    return left


def main(argv: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.model.replay", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name")
    parser.add_argument("--on", choices=("scripts", "service"), default="scripts")
    parser.add_argument("--shrink", action="store_true")
    arguments = parser.parse_args(argv)
    try:
        actions = history.load(arguments.name)
    except FileNotFoundError as error:
        parser.error(str(error))
    with stages(arguments.on) as new_stage:
        if arguments.shrink and fails(new_stage().play_all, actions):
            actions = shortest(actions, lambda fewer: fails(new_stage().play_all, fewer))
            short = history.FAILED / f"{history.find(arguments.name).stem}-short.jsonl"
            history.write(short, actions)
            print(f"kept as {short}")
        return 1 if tell(new_stage(), actions) else 0


if __name__ == "__main__":
    sys.exit(main())
