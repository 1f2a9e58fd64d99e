"""What fails is kept, can be told again by its name, and made short."""

from __future__ import annotations

import pytest

from tests.model import history, replay
from tests.model.lua_stage import LuaStage
from tests.model.moves import walk


@pytest.fixture(autouse=True)
def _kept_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "FAILED", tmp_path / "histories")


@pytest.mark.parametrize("mutant", ["a refund pays no debt"], indirect=True)
@pytest.mark.usefixtures("mutant")
def test_a_failing_history(client, capsys):
    """A walk finds it, the note says how to play it again, and it shrinks to its point."""
    with pytest.raises(AssertionError, match="where the law has") as raised:
        walk(LuaStage(client, keep_as="found"), 0, steps=2_000)
    (note,) = raised.value.__notes__
    assert note.endswith("again: python -m tests.model.replay found --on scripts")

    assert replay.main(["found"]) == 1
    assert f"AssertionError: {raised.value}" in capsys.readouterr().out.splitlines()[-1]

    assert replay.main(["found", "--shrink"]) == 1
    short = history.load("found-short")
    assert len(short) < 20 < len(history.load("found"))  # a player, a debt, an open bet, its refund
    capsys.readouterr()
    assert replay.main(["found-short"]) == 1
    told = capsys.readouterr().out.splitlines()
    assert "cancel" in told[-2]
    assert "R0 cancel" in told[-1]


@pytest.mark.parametrize("on", ["scripts", "service"])
def test_a_saved_history(on, capsys):
    """By its name, on the scripts or on the whole wallet."""
    assert replay.main(["changes_come_as_2_1_2", "--on", on]) == 0
    assert "R1 change_early" in capsys.readouterr().out


def test_no_such_history(capsys):
    """One line, which says where it was looked for."""
    with pytest.raises(SystemExit, match="2"):
        replay.main(["nothing"])
    assert "error: no history at any of nothing, " in capsys.readouterr().err
