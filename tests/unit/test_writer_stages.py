"""What the writer makes of replies that come late: to reads ahead, and to confirmations that nobody waited for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.exceptions import NoScriptError, ResponseError

from seamless_wallet.engine.pipeline import OutcomeUnknown
from seamless_wallet.engine.replies import ReplyStatus
from seamless_wallet.ledger.conflicts import EntriesRefused, EpochCause, Refusal, RefusalCause
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.records import ShardHead
from seamless_wallet.writer.checks_due import ChecksDue
from seamless_wallet.writer.commit_stage import CommitStage
from seamless_wallet.writer.confirm_stage import TOGETHER, ConfirmStage, Retention
from seamless_wallet.writer.evictions import Evictions
from seamless_wallet.writer.pipelines import Pipelines
from seamless_wallet.writer.read_stage import READ_AHEAD_AFTER_S, Batch, StreamReader
from seamless_wallet.writer.shard_states import ShardStates
from tests.integration.waiting import until

NONCE = "ours"
EPOCH = 7
SHARDS = 2


class ManualPipeline:
    """Replies when it is told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[tuple[Any, ...], asyncio.Future[Any]]] = []

    def execute(self, *args: Any) -> asyncio.Future[Any]:
        self.sent.append((args, asyncio.get_running_loop().create_future()))
        return self.sent[-1][1]

    async def reply_soon(self, value: Any) -> None:
        """Once there is a command that has none."""
        await until(lambda: not all(future.done() for _, future in self.sent), "a command")
        self.reply(value)

    def reply(self, value: Any) -> None:
        """To the oldest command that has none."""
        future = next(future for _, future in self.sent if not future.done())
        if isinstance(value, Exception):
            future.set_exception(value)
        else:
            future.set_result(value)


class Clock:
    """It stands still."""

    def now_ms(self) -> int:
        return 1_700_000_000_000

    def monotonic_s(self) -> float:
        return 1.0


def states_at(*seqs: int) -> ShardStates:
    """SQL has got so far in each shard."""
    states = ShardStates()
    states.nonce = NONCE
    states.adopt(ShardHead(EPOCH, seq, "run", "repl", NONCE) for seq in seqs)
    states.taken.update(states.held)
    return states


def row(seq: int, epoch: int = EPOCH) -> tuple[bytes, list[bytes]]:
    """An entry as a stream gives it; its payload is none."""
    return f"{epoch}-{seq}".encode(), [b"u", b"user", b"e", b"payload", b"t", f"t{seq}".encode()]


def stream(shard: int, *seqs: int, epoch: int = EPOCH) -> tuple[bytes, list[tuple[bytes, list[bytes]]]]:
    """What a read gives of one shard."""
    return f"{{{shard}}}:l:{EPOCH}".encode(), [row(seq, epoch) for seq in seqs]


class Reading:
    """A StreamReader whose streams are played by hand."""

    def __init__(self, *seqs: int, batch_max: int = 1000) -> None:
        self.states = states_at(*seqs)
        self.pipeline = ManualPipeline()
        pipelines = Pipelines(self.pipeline, self.pipeline)  # type: ignore[arg-type]
        self.reader = StreamReader(self.states, pipelines, batch_max)

    async def next(self, *replies: Any) -> dict[int, list[int]]:
        """The seqs of each shard."""
        asking = asyncio.create_task(self.reader.next())
        await turns()
        for reply in replies:
            await self.pipeline.reply_soon(reply)
            await turns()
        batches = await asyncio.wait_for(asking, 5)
        return {shard: [entry.seq for entry in batch.entries] for shard, batch in batches.items()}

    async def while_committing(self, reply: Any) -> None:
        """A read is answered that nobody waits for."""
        await self.pipeline.reply_soon(reply)
        await turns()

    def commit(self, shard: int, seq: int) -> None:
        """It returned."""
        self.states.record_commit([Entry(shard, EPOCH, seq, "", "", b"", b"")])

    def positions(self) -> list[str]:
        """From where the last read was sent."""
        return list(self.pipeline.sent[-1][0][-SHARDS:])


async def turns(number: int = 5) -> None:
    """Let everything that is ready go on."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_what_comes_during_a_commit_is_there_when_it_returns():
    """All of it, of several reads, without another one; each read goes on where the one before ended."""
    reading = Reading(10, 20)
    assert await reading.next([stream(0, 11)]) == {0: [11]}
    await reading.while_committing([stream(0, 12), stream(1, 21)])
    assert reading.positions() == [f"{EPOCH}-11", f"{EPOCH}-20"]
    await reading.while_committing([stream(0, 13, 14)])
    reading.commit(0, 11)
    assert await reading.next() == {0: [12, 13, 14], 1: [21]}
    assert len(reading.pipeline.sent) == 3


async def test_what_was_read_ahead_is_decoded_already():
    """Fields that are no decision stay an entry, and are refused where they are proven."""
    reading = Reading(0, 0)
    good = [b"u", b"user", b"d", b"1 2 3 4 5 +"]
    await reading.next([(f"{{0}}:l:{EPOCH}".encode(), [(f"{EPOCH}-1".encode(), good)])])
    reading.reader.drop()
    asking = asyncio.create_task(reading.reader.next())
    await reading.pipeline.reply_soon([stream(0, 1)])
    (entry,) = (await asking)[0].entries
    with pytest.raises(ValueError, match="unpack"):
        _ = entry.decision


async def test_no_text_of_an_entry_has_a_nul():
    """PostgreSQL keeps none, and a void entry has these texts, too."""
    reading = Reading(0, 0)
    fields = [part for name in (b"u", b"p", b"t", b"b") for part in (name, b"a\0b")]
    asking = asyncio.create_task(reading.reader.next())
    await reading.pipeline.reply_soon([(f"{{0}}:l:{EPOCH}".encode(), [(f"{EPOCH}-1".encode(), fields)])])
    (entry,) = (await asking)[0].entries
    assert {entry.user_id, entry.provider, entry.token, entry.before} == {"a\\x00b"}


class Unforgiving:
    """A ledger that refuses an entry, void or not."""

    async def commit(self, batches: Any) -> None:
        entry = batches[0][0]
        raise EntriesRefused([Refusal(entry.shard, entry.seq, entry.user_id, "p", RefusalCause.UNSTORABLE, "never")])


async def test_an_entry_that_is_refused_although_it_is_void_is_a_fault():
    """It would be refused for ever, and the writer would do nothing else."""
    states, pipeline, checks = states_at(0), ManualPipeline(), ChecksDue()
    evictions = Evictions(pipeline, states, checks, Clock())  # type: ignore[arg-type]
    stage = CommitStage(Unforgiving(), states, checks, evictions, Clock())  # type: ignore[arg-type]
    committing = asyncio.create_task(stage.commit([Batch([Entry(0, EPOCH, 1, "user", "p", b"", b"")])]))
    for _ in range(2):
        await pipeline.reply_soon([ReplyStatus.OK.encode(), b"1"])
        await turns()
    with pytest.raises(AssertionError, match="void already"):
        await asyncio.wait_for(committing, 5)


async def test_what_was_read_ahead_is_dropped_unless_the_commit_returned():
    """SQL did not get there: it is read again from SQL's seq, and nothing of the read ahead is used."""
    reading = Reading(10, 20)
    assert await reading.next([stream(0, 11)]) == {0: [11]}
    await reading.while_committing([stream(0, 12)])
    assert await reading.next([stream(0, 11, 12)]) == {0: [11, 12]}


async def test_what_was_read_ahead_is_dropped_although_sql_got_there():
    """The outcome was unknown, and is asked of SQL: who dropped it does not get it back."""
    reading = Reading(10, 20)
    assert await reading.next([stream(0, 11)]) == {0: [11]}
    await reading.while_committing([stream(0, 12)])
    reading.reader.drop()
    reading.commit(0, 11)
    assert await reading.next([stream(0, 12)]) == {0: [12]}
    assert reading.pipeline.sent[2][0][-SHARDS:] == (f"{EPOCH}-11", f"{EPOCH}-20")


@pytest.mark.parametrize("changed", ["nonce", "epoch", "stopped", "another shard"])
async def test_what_was_read_ahead_is_bound_to_nonce_epoch_and_seq(changed):
    """Of every shard that is read."""
    reading = Reading(10, 20)
    assert await reading.next([stream(0, 11)]) == {0: [11]}
    await reading.while_committing([stream(0, 12)])
    reading.commit(0, 11)
    match changed:
        case "nonce":
            reading.states.nonce = "another"
        case "epoch":
            reading.states.record_epoch(1, ShardHead(EPOCH + 1, 20, "run", "repl", NONCE))
        case "stopped":
            reading.states.stopped.add(1)
        case "another shard":
            reading.commit(1, 21)
    assert await reading.next([stream(0, 12)]) == {0: [12]}
    assert f"{EPOCH}-11" in reading.pipeline.sent[2][0]


async def test_a_hole_is_judged_against_what_was_known_when_the_read_was_sent():
    """Redis wrote 11 after that: that the read did not find it is no gap. The next one must."""
    reading = Reading(10, 20)
    asking = asyncio.create_task(reading.next())
    await turns()
    reading.states.record_written(0, confirmed=10, written=11)
    reading.pipeline.reply([stream(1, 21)])
    assert await asking == {1: [21]}
    assert reading.states.epochs_due == {}
    reading.commit(1, 21)
    assert await reading.next(None) == {}
    assert reading.states.epochs_due == {0: EpochCause.GAP}


async def test_a_hole_is_judged_against_the_position_of_the_read():
    """SQL has 10, and 11 was read ahead: a read on from 11 need not find it."""
    reading = Reading(10, 20)
    assert await reading.next([stream(0, 11)]) == {0: [11]}
    reading.states.record_written(0, confirmed=10, written=11)
    await reading.while_committing(None)
    reading.commit(0, 11)
    assert await reading.next(None) == {}
    assert reading.states.epochs_due == {}


async def test_a_hole_found_ahead_is_forgotten_with_what_was_read_ahead():
    """It was a hole only if the commit before it returned."""
    reading = Reading(10, 20)
    assert await reading.next([stream(0, 11)]) == {0: [11]}
    await reading.while_committing([stream(0, 12, epoch=EPOCH + 1)])
    reading.reader.drop()
    assert await reading.next([stream(0, 11)]) == {0: [11]}
    assert reading.states.epochs_due == {}


async def test_no_more_is_read_ahead_than_a_batch():
    """One read may go beyond; then nobody reads until it is taken."""
    reading = Reading(0, 0, batch_max=2)
    assert await reading.next([stream(0, 1)]) == {0: [1]}
    await reading.while_committing([stream(0, 2, 3, 4)])
    await asyncio.sleep(3 * READ_AHEAD_AFTER_S)
    assert len(reading.pipeline.sent) == 2
    reading.commit(0, 1)
    assert await reading.next() == {0: [2, 3, 4]}
    await reading.while_committing([stream(0, 5)])
    assert len(reading.pipeline.sent) == 3


async def test_who_asks_again_and_again_lets_others_go_on():
    """Also when a read has just been answered with nothing: the loop would stand still."""
    reading = Reading(10, 20)
    others = 0

    async def ask() -> None:
        for _ in range(20):
            assert await reading.reader.next() == {}

    asking = asyncio.create_task(ask())
    while not asking.done():
        await asyncio.sleep(0)
        others += 1
        if reading.pipeline.sent and not reading.pipeline.sent[-1][1].done():
            reading.pipeline.reply(None)
        assert others < 1000
    assert others > 20


async def test_a_read_ahead_that_failed_is_told_to_who_asks_next():
    """Not lost, and not what came before it."""
    reading = Reading(10, 20)
    assert await reading.next([stream(0, 11)]) == {0: [11]}
    await reading.while_committing([stream(0, 12)])
    await reading.while_committing(OutcomeUnknown("broken"))
    reading.commit(0, 11)
    with pytest.raises(OutcomeUnknown):
        await reading.next()


class Confirming:
    """A ConfirmStage whose Redis is played by hand; all shards were confirmed just now."""

    def __init__(self, *seqs: int) -> None:
        self.states = states_at(*seqs)
        self.pipeline = ManualPipeline()
        self.checks_due = ChecksDue(heads=False, owners=False, scripts=False)
        self.stage = ConfirmStage(
            pipeline=self.pipeline,  # type: ignore[arg-type]
            ledger_uuid="ledger",
            clock=Clock(),
            retention=Retention(100, 3_600_000),
            shard_states=self.states,
            checks_due=self.checks_due,
        )
        self.stage._all_due_s = 10.0

    def send(self, shard: int, seq: int) -> None:
        """SQL has got there."""
        entry = Entry(shard, EPOCH, seq, "", "", b"", b"", f"t{seq}")
        self.states.record_commit([entry])
        self.stage.send({shard: Batch([entry])})


async def test_a_reply_is_judged_by_the_seq_that_its_own_command_said():
    """Redis had written 11 when it was told 11. That SQL has 12 by now is no fork."""
    confirming = Confirming(10, 20)
    confirming.send(0, 11)
    confirming.states.record_commit([Entry(0, EPOCH, 12, "", "", b"", b"")])
    confirming.pipeline.reply([[b"OK", b"11"]])
    assert await confirming.stage.settle()
    assert confirming.states.epochs_due == {}
    confirming.send(0, 13)
    confirming.pipeline.reply([[b"OK", b"12"]])
    assert not await confirming.stage.settle()
    assert confirming.states.epochs_due == {0: EpochCause.FORK}


async def test_a_reply_about_an_epoch_that_is_over_says_nothing():
    """Neither how far the new one has written, nor that somebody else has the head."""
    for reply in ([[b"OK", b"11"]], [[b"FENCED", b"8", b"ours"]], NoScriptError("gone")):
        confirming = Confirming(10, 20)
        confirming.send(0, 11)
        confirming.states.record_epoch(0, ShardHead(EPOCH + 1, 11, "run", "repl", NONCE))
        confirming.pipeline.reply(reply)
        assert await confirming.stage.settle()
        assert confirming.states.written_beyond({0: (EPOCH + 1, 0)}) == []
        assert confirming.checks_due == ChecksDue(heads=False, owners=False, scripts=False)


@pytest.mark.parametrize(
    ("reply", "due"),
    [([[b"FENCED", b"8", b"other"]], {"heads": True, "owners": True}), (NoScriptError("gone"), {"scripts": True})],
)
async def test_bad_news_comes_before_the_next_commit(reply, due):
    """It is waited for, and makes a check due."""
    confirming = Confirming(10, 20)
    confirming.send(0, 11)
    settling = asyncio.create_task(confirming.stage.settle())
    await turns()
    assert not settling.done()
    confirming.pipeline.reply(reply)
    assert not await settling
    assert confirming.checks_due == ChecksDue(**({"heads": False, "owners": False, "scripts": False} | due))


@pytest.mark.parametrize("error", [OutcomeUnknown("broken"), ResponseError("OOM")])
async def test_an_error_is_raised_before_the_next_commit_and_once(error):
    """The other replies are judged all the same."""
    confirming = Confirming(10, 20)
    confirming.send(0, 11)
    confirming.send(1, 21)
    confirming.pipeline.reply(error)
    confirming.pipeline.reply([[b"OK", b"20"]])
    with pytest.raises(type(error)):
        await confirming.stage.settle()
    assert confirming.states.epochs_due == {1: EpochCause.FORK}
    assert await confirming.stage.settle()


async def test_shards_that_were_committed_together_are_confirmed_together():
    """By one command, and each is judged by itself; what is not due yet is left out."""
    confirming = Confirming(10, 20, 30)
    entries = {shard: Entry(shard, EPOCH, seq, "", "", b"", b"", f"t{seq}") for shard, seq in ((0, 11), (2, 31))}
    confirming.states.record_commit([entries[0]])
    confirming.states.record_commit([entries[2]])
    confirming.stage.send({shard: Batch([entry]) for shard, entry in entries.items()})
    ((command, _),) = confirming.pipeline.sent
    assert command[2:7] == (4, "{0}:head", f"{{0}}:l:{EPOCH}", "{2}:head", f"{{2}}:l:{EPOCH}")
    assert command[-8:] == (0, EPOCH, 11, "t11", 2, EPOCH, 31, "t31")
    confirming.pipeline.reply([[b"FENCED", b"8", b"other"], [b"OK", b"30"]])
    assert not await confirming.stage.settle()
    assert confirming.checks_due.heads
    assert confirming.states.epochs_due == {2: EpochCause.FORK}


async def test_after_a_refusal_shards_are_confirmed_one_by_one():
    """Redis does not say which one it meant: the others are told, whatever is wrong with that one"""
    confirming = Confirming(10, 20)
    for seq in (1, 2, 3):
        entries = {shard: Entry(shard, EPOCH, 10 * (shard + 1) + seq, "", "", b"", b"", "t") for shard in (0, 1)}
        for entry in entries.values():
            confirming.states.record_commit([entry])
        confirming.stage.send({shard: Batch([entry]) for shard, entry in entries.items()})
        if seq == 1:
            confirming.pipeline.reply(ResponseError("not an integer"))
            with pytest.raises(ResponseError):
                await confirming.stage.settle()
            assert await confirming.stage.settle(), "the cycle after it begins with this"
        elif seq == 2:
            confirming.pipeline.reply([[b"OK", b"12"]])
            confirming.pipeline.reply([[b"OK", b"22"]])
            assert await confirming.stage.settle()
    assert [command[2] for command, _ in confirming.pipeline.sent] == [4, 2, 2, 4]


async def test_no_script_confirms_more_shards_than_others_can_wait_for():
    """A ledger may have a thousand"""
    confirming = Confirming(*[10] * (2 * TOGETHER + 1))
    confirming.stage._all_due_s = 0.0
    confirming.stage.send({})
    assert [command[2] for command, _ in confirming.pipeline.sent] == [2 * TOGETHER, 2 * TOGETHER, 2]


async def test_a_token_that_would_be_several_is_told_to_nobody():
    """A stream that was written to by hand"""
    confirming = Confirming(10)
    tokens = ("t1", "t2\n0 1 99 t3", "t4 t5", "")
    entries = [Entry(0, EPOCH, 11 + at, "", "", b"", b"", token) for at, token in enumerate(tokens)]
    confirming.states.record_commit(entries)
    confirming.stage.send({0: Batch(entries)})
    assert confirming.pipeline.sent[0][0][-1] == "t1"
