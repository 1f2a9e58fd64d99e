"""The rules of who writes, each broken in one place, and the test that has to find it.

A mutant whose place is gone fails its test: move it along.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Mutant(NamedTuple):
    """`old`, which is there once in a file of lua/ or of the package, becomes `new`. `test` has to fail then."""

    file: str
    old: str
    new: str
    test: str

    def write_into(self, copy: Path) -> None:
        """Change a copy of the repository's lua/ and service/."""
        folder = "lua" if self.file.endswith(".lua") else "service/seamless_wallet"
        path = copy / folder / self.file
        text = path.read_text("utf-8")
        assert text.count(self.old) == 1, f"{self.file} has {self.old!r} {text.count(self.old)} times"
        path.write_text(text.replace(self.old, self.new), "utf-8")


FOREIGN = "tests/integration/test_foreign_writer.py::test_"
STORE = "tests/store/test_writers.py::test_"
LUA = "tests/lua/test_epoch.py::test_"
OWNERS = "writer/head_owners.py"
MESSAGES = "wallet/writer_messages.py"
LEASES = "writer/shard_leases.py"
SHARING = "tests/unit/test_sharing.py::test_"
SEVERAL = "tests/simulation/test_several_writers.py::test_"
COMMIT = "stores/shard_heads.py"

MUTANTS = {
    # ---------------------------------------------------------------- scripts
    "a displaced writer confirms": Mutant(
        "confirm.lua",
        " or head_nonce ~= nonce then",
        " then",
        FOREIGN + "a_frozen_writer_that_wakes_up_confirms_nothing",
    ),
    "the gate opens over any head": Mutant(
        "gate.lua",
        "if old_nonce ~= nonce and old_nonce ~= nonce_before then",
        "if false then",
        LUA + "gate_over_the_head_of_a_writer_that_was_not_judged",
    ),
    "any head is taken over": Mutant(
        "take_over.lua",
        "(head[2] or '') ~= nonce_before",
        "false",
        LUA + "a_head_is_taken_over_only_from_the_writer_that_was_judged",
    ),
    "a head of another epoch is taken over": Mutant(
        "take_over.lua", "head[1] ~= epoch or ", "", LUA + "a_head_is_taken_over_only_from_the_writer_that_was_judged"
    ),
    "the gate leaves the token of the epoch before": Mutant(
        "gate.lua", ", 'last', token, 'evicted', '0')", ", 'evicted', '0')", LUA + "gate_over_a_lower_epoch"
    ),
    "rounds of wallets in use are forgotten": Mutant(
        "forget_round.lua",
        "if last_seq and not suspended then",
        "if false then",
        "tests/lua/test_evict.py::test_a_round_is_forgotten_of_a_suspended_wallet_only",
    ),
    # ---------------------------------------------------------------- SQL
    "a displaced writer commits": Mutant(
        COMMIT,
        "    if head.nonce != nonce:\n",
        "    nonce = head.nonce\n    if head.nonce != nonce:\n",
        STORE + "a_writer_that_was_displaced_writes_nothing",
    ),
    "a displaced writer opens epochs": Mutant(
        "stores/sqlite/write.sql",
        "AND epoch = ? AND nonce = ?\nRETURNING",
        "AND epoch = ? AND ? <> ''\nRETURNING",
        STORE + "a_writer_that_was_displaced_writes_nothing",
    ),
    "entries follow whatever was before": Mutant(
        COMMIT,
        "if entry.before != before:",
        "if entry.before != before and entry is not batch[0]:",
        STORE + "the_same_bytes_of_another_execution_are_no_predecessor",
    ),
    "only the first entry follows": Mutant(
        COMMIT,
        "if entry.before != before:",
        "if entry.before != before and entry is batch[0]:",
        STORE + "a_batch_that_was_put_together_from_two_histories_is_a_fork",
    ),
    "only the present writer is named": Mutant(
        "stores/sqlite/read.sql",
        "SELECT 1 FROM writer WHERE nonce = ?;",
        "SELECT 1 FROM shard WHERE nonce = ?;",
        FOREIGN + "a_restarted_writer_takes_the_heads_over_as_they_are",
    ),
    # ---------------------------------------------------------------- workers
    "a worker believes everybody": Mutant(
        MESSAGES,
        "        if self._names(told.shard, told.nonce):\n            self._take(told)\n        elif",
        "        if self._names:\n            self._take(told)\n        elif",
        FOREIGN + "a_bet_that_only_a_copy_of_the_ledger_has_is_not_told",
    ),
    "whoever SQL was asked about is believed": Mutant(
        MESSAGES,
        "        if self._names(told.shard, told.nonce):\n            self._take(told)\n            return",
        "        if self._names:\n            self._take(told)\n            return",
        FOREIGN + "a_bet_that_only_a_copy_of_the_ledger_has_is_not_told",
    ),
    "SQL is asked as often as anybody tells": Mutant(
        MESSAGES,
        "            await asyncio.sleep(DOUBT_EVERY_S)\n",
        "            await asyncio.sleep(0)\n",
        FOREIGN + "a_message_of_an_unknown_writer_costs_one_read_of_sql_and_confirms_nothing",
    ),
    "any heartbeat is that of our writer": Mutant(
        "wallet/writer_presence.py",
        "alive = await self._shards.present_writers(nonces)",
        "alive = nonces",
        FOREIGN + "a_bet_that_only_a_copy_of_the_ledger_has_is_not_told",
    ),
    # ---------------------------------------------------------------- the writer
    "no head is foreign": Mutant(
        OWNERS,
        "        if nonce is None or await",
        "        if nonce is None or nonce or await",
        FOREIGN + "a_bet_that_only_a_copy_of_the_ledger_has_is_not_told",
    ),
    "a foreign writer that lives is fought": Mutant(
        OWNERS,
        "            raise ForeignWriter(keys.beating(alive))\n",
        "            pass\n",
        FOREIGN + "a_bet_that_only_a_copy_of_the_ledger_has_is_not_told",
    ),
    "foreign heads are fought for ever": Mutant(
        OWNERS,
        "if len(self._met_s) == FOREIGN_MAX and",
        "if False and",
        FOREIGN + "foreign_heads_again_and_again_end_the_writer",
    ),
    "the heads are taken from a writer that lives": Mutant(
        OWNERS,
        "            raise ForeignWriter(nonce)\n",
        "            pass\n",
        FOREIGN + "the_writer_of_a_copy_ends_when_ours_lives",
    ),
    "a head that was set back is taken over": Mutant(
        OWNERS,
        "        elif shard in self._shard_states.taken:\n",
        "        elif False:\n",
        FOREIGN + "a_head_that_names_a_writer_before_was_set_back",
    ),
    "what a later writer had confirmed is dropped": Mutant(
        OWNERS,
        "if seq < committed and",
        "if False and",
        FOREIGN + "a_restored_ledger_reads_on_although_the_heads_are_of_a_later_writer",
    ),
    # ---------------------------------------------------------------- several writers
    "shares are levelled to the last shard": Mutant(
        "writer/sharing.py",
        "min(held.values()) > 1:",
        "min(held.values()) > 0:",
        SHARING + "nothing_moves_between_writers_that_differ_by_one",
    ),
    "whoever comes first takes all that is free": Mutant(
        "writer/sharing.py",
        "            held[least] += 1\n            if least == nonce:\n",
        "            if nonce:\n",
        SHARING + "a_writer_that_comes_gets_one_shard_after_the_other",
    ),
    "shards are released while some are free": Mutant(
        "writer/sharing.py",
        "        return LeaseStep(take, [])\n",
        "        if take:\n            return LeaseStep(take, [])\n",
        SHARING + "a_writer_that_comes_gets_one_shard_after_the_other",
    ),
    "a released shard keeps its heartbeat": Mutant(
        LEASES,
        'await self._pipeline.execute("UNLINK", keys.heartbeat(shard))',
        "pass",
        "tests/integration/test_several_writers.py::test_a_writer_that_released_a_shard_tells_of_it_and_leaves_no_heartbeat",
    ),
    "a writer ends with its shards": Mutant(
        "writer/cycle.py",
        "            await self._leases.leave()\n",
        "",
        SEVERAL + "a_rolling_restart_costs_no_r1",
    ),
    "a writer that was displaced ends": Mutant(
        "writer/commit_stage.py",
        "        except Displaced:\n            self._displaced(batches)\n",
        "        except Displaced:\n            raise\n",
        SEVERAL + "when_one_freezes_anywhere_the_others_have_its_shards_in_time[commit-before]",
    ),
    "one beat is a life": Mutant(
        OWNERS,
        "if seen.beats >= BEATS_MAX and",
        "if seen.beats >= 0 and",
        SEVERAL + "one_beat_of_a_writer_that_wakes_up_does_not_end_who_takes_its_shard",
    ),
    "workers look at one shard for all": Mutant(
        "wallet/service.py",
        "if event.shard in self._writer.absent:",
        "if self._writer.absent:",
        SEVERAL + "only_the_shards_without_a_writer_are_r1",
    ),
}
