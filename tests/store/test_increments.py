"""Entries that are new since a checkpoint: verified alone, part by part."""

from __future__ import annotations

import os

import msgspec
import pytest

from seamless_wallet.stores.increment_audit import Checkpoint, CheckpointRefused
from seamless_wallet.stores.sqlite.checkpoint_file import CheckpointFile
from tests.store.test_verify import DOUBLES, findings, pairs, story  # noqa: F401 - the fixture

NUMBERS = {
    "entry": [
        "id", "shard", "seq", "epoch", "player", "previous", "received_ms",
        "version", "balance", "debt", "balance_delta", "debt_delta",
    ],
    "wallet": ["version", "seq", "balance", "debt"],
    "shard": ["seq"],
    "mark": ["player", "entry"],
    "signpost": ["player", "seq", "received_ms", "entry"],
}  # fmt: skip
ROW = {
    "entry": "shard = 0 AND seq = 4",
    "wallet": "status = 'blocked'",
    "shard": "shard = 0",
    "mark": "state LIKE 'S 9000 %'",
    "signpost": "true",
}


async def verified(store, checkpoint=None, limit=1_000):
    """(findings, the last checkpoint, entries) of all parts up to the end."""
    checkpoint, found, entries = checkpoint or Checkpoint(store.uuid), [], 0
    while True:
        part = await store.verify_since(checkpoint, limit)
        checkpoint, entries = part.checkpoint, entries + part.entries
        found += part.findings
        if part.at_end:
            return found, checkpoint, entries


@pytest.mark.parametrize("limit", [1, 2, 7, 1_000])
async def test_a_sound_ledger_has_no_findings(store, story, backend, limit):  # noqa: F811
    """However small the parts are; and then nothing is new"""
    (count,) = backend.rows("SELECT count(*) FROM entry")[0]
    found, checkpoint, entries = await verified(store, limit=limit)
    assert (found, entries) == ([], count)
    assert await verified(store, checkpoint) == ([], checkpoint, 0)


async def test_it_goes_on_after_the_checkpoint(store, story, backend):  # noqa: F811
    """With what was committed since, and not before it"""
    _, checkpoint, _ = await verified(store)
    story.deposit(5)
    story.bet("g9", a=1)
    await store.commit([story.take()])
    backend.tamper("UPDATE entry SET received_ms = 1 WHERE shard = 0 AND seq = 2")
    found, after, entries = await verified(store, checkpoint)
    assert (found, entries) == ([], 2)
    assert after.last_id == checkpoint.last_id + 2
    assert await findings(store)  # only the full check sees it


@pytest.mark.parametrize("limit", [3, 1_000])
@pytest.mark.parametrize("by", [1, 1_000])
@pytest.mark.parametrize(("table", "column"), pairs(NUMBERS))
async def test_finds_a_changed_number(store, story, backend, table, column, by, limit):  # noqa: F811
    """Of the entries since the checkpoint, and of what belongs to them"""
    if (table, column) in backend.lacks:
        return
    try:
        assert backend.tamper(f"UPDATE {table} SET {column} = {column} + {by} WHERE {ROW[table]}") == 1  # noqa: S608
    except backend.refused:
        return
    assert (await verified(store, limit=limit))[0]


@pytest.mark.parametrize("table", ["entry", "wallet", "shard", "mark", "signpost"])
async def test_finds_a_missing_row(store, story, backend, table):  # noqa: F811
    """Each is asked for"""
    assert backend.tamper(f"DELETE FROM {table} WHERE {ROW[table]}") == 1  # noqa: S608
    assert (await verified(store))[0]


@pytest.mark.parametrize("change", ["payload = zeroblob(4)", "chain = zeroblob(16)", "kind = CAST(x'fffe' AS TEXT)"])
async def test_finds_bytes_that_are_none(store, story, backend, change):  # noqa: F811
    """And does not crash"""
    if "CAST" in change and not backend.takes_any_bytes:
        return
    backend.tamper(f"UPDATE entry SET {change} WHERE shard = 0 AND seq = 4")  # noqa: S608
    assert (await verified(store))[0]


async def test_an_event_whose_mark_leads_to_another_entry_is_found(store, story, backend):  # noqa: F811
    """To an older one of the same player, which is there"""
    moved = "entry = (SELECT min(entry) FROM mark WHERE bet_index = '')"
    newest = "entry = (SELECT max(entry) FROM mark WHERE bet_index = '') AND bet_index = ''"
    assert backend.tamper(f"UPDATE mark SET {moved} WHERE {newest}") == 1  # noqa: S608
    assert any("the mark of its event" in finding.text for finding in (await verified(store))[0])


async def test_another_fingerprint_is_found(store, story, backend):  # noqa: F811
    """Where the mark of an event has one"""
    if ("mark", "fingerprint") not in backend.lacks:
        assert backend.tamper("UPDATE mark SET fingerprint = digest WHERE bet_index = ''") > 0
        assert any("the mark of its event" in finding.text for finding in (await verified(store))[0])


async def test_an_open_bet_without_its_mark_is_found(store, story, backend):  # noqa: F811
    """It stands among the open ones, or it is not open"""
    assert backend.tamper("DELETE FROM mark WHERE open = 1") > 0
    assert any("the mark of bet" in finding.text for finding in (await verified(store))[0])


@pytest.mark.parametrize("insert", DOUBLES)
async def test_finds_a_bet_that_is_open_and_over(store, story, backend, insert):  # noqa: F811
    """It has one mark"""
    if ("mark", "open") not in backend.lacks:
        assert backend.tamper(insert) > 0
        assert any("the mark of bet" in finding.text for finding in (await verified(store))[0])


async def test_a_checkpoint_of_another_history_is_refused(store, story, backend):  # noqa: F811
    """Of another ledger, of entries that are gone, of a chain that was changed"""
    _, checkpoint, _ = await verified(store)
    for other in (
        msgspec.structs.replace(checkpoint, uuid="another"),
        msgspec.structs.replace(checkpoint, last_id=checkpoint.last_id + 1),
        msgspec.structs.replace(checkpoint, last_id=checkpoint.last_id - 1),
    ):
        with pytest.raises(CheckpointRefused):
            await store.verify_since(other, 10)
    backend.tamper("UPDATE entry SET chain = zeroblob(16) WHERE id = (SELECT max(id) FROM entry)")
    with pytest.raises(CheckpointRefused, match="set back, or changed"):
        await store.verify_since(checkpoint, 10)


async def test_the_file_beside_the_ledger(store, story, tmp_path):  # noqa: F811
    """The owner's alone, whole, of this ledger, and refused if anything is wrong with it"""
    beside = tmp_path / "ledger.db"
    file = CheckpointFile(beside, store.uuid)
    assert file.read() == Checkpoint(store.uuid)
    _, checkpoint, _ = await verified(store)
    before = os.umask(0)
    try:
        file.write(checkpoint)
        file.write(checkpoint)
    finally:
        os.umask(before)
    assert file.read() == checkpoint
    assert file.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CheckpointRefused, match="another ledger"):
        CheckpointFile(beside, "another").read()
    file.path.chmod(0o666)
    with pytest.raises(CheckpointRefused, match="remove that file"):
        file.read()
    file.path.chmod(0o600)
    for wrong in (b"", b"{}", b'{"uuid": 3}', b'{"uuid":"x","more":1}'):
        file.path.write_bytes(wrong)
        with pytest.raises(CheckpointRefused):
            file.read()
