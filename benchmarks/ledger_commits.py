"""The other side of `ledger_cpu`: commits entries with the version of the program that its path leads to.

It reads one JSON object a line and answers with one: first `entries` and `players` to fill a ledger, then `commits` of
`size` entries to be measured. It knows the names of the first version (626a578), too.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Collection, Iterator
from importlib import import_module
from inspect import signature
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any, Final

SHARDS: Final = 16
FILL_BATCH: Final = 2_000
STAKE: Final = 3_000
MONEY: Final = 10**9
START_MS: Final = 1_700_000_000_000
CONTEXT: Final = {"game_type": "baccarat", "table_no": "B12"}


class First:
    """The first version."""

    def __init__(self, path: Path) -> None:
        names = import_module("service.commands")
        entry = import_module("service.entry.ledger")
        self.names, self.shard_of = names, import_module("service.keys").shard_of
        self._entry, self._encode = entry.Entry, entry.encode_payload
        self._commit = import_module("service.store.sqlite.committing").commit
        import_module("service.store.sqlite.lifecycle").init(path, SHARDS, {"KRW": 2})
        self.connection = import_module("service.store.sqlite.connection").connect(path, write=True)
        self.connection.execute("UPDATE shard SET epoch = 1")

    def entry(self, shard: int, seq: int, command: Any, decided: bytes) -> Any:
        """The entry as Redis would stream it."""
        return self._entry(shard, 1, seq, self._encode(command), decided)

    def commit(self, batches: list[list[Any]]) -> None:
        """One transaction."""
        self._commit(self.connection, SHARDS, batches)


class Now:
    """This version."""

    def __init__(self, path: Path) -> None:
        names = import_module("seamless_wallet.commands")
        self.names, self.shard_of = names, names.shard_of
        self._entry = import_module("seamless_wallet.ledger.entry").Entry
        self._encode = import_module("seamless_wallet.ledger.payload").encode_payload
        self._commit = import_module("seamless_wallet.stores.sqlite.commit").commit_batches
        self._nonce = [""] if "nonce" in signature(self._commit).parameters else []
        self._known = import_module("seamless_wallet.stores.known").KnownState()
        import_module("seamless_wallet.stores.sqlite.setup").init(path, SHARDS, {"KRW": 2})
        self.connection = import_module("seamless_wallet.stores.sqlite.database").connect(path, write=True)
        self.connection.execute("UPDATE shard SET epoch = 1")

    def entry(self, shard: int, seq: int, command: Any, decided: bytes) -> Any:
        """The entry as Redis would stream it."""
        return self._entry(shard, 1, seq, command.user_id, command.provider, self._encode(command), decided)

    def commit(self, batches: list[list[Any]]) -> None:
        """One transaction."""
        self._commit(self.connection, SHARDS, *self._nonce, batches, self._known)


class Life:
    """Players of some shards who bet and get results, at random, from a seed."""

    def __init__(self, version: First | Now, players: int, shards: Collection[int] = range(SHARDS)) -> None:
        self._version = version
        self._random = Random(1)
        names = (f"player-{number:06}" for number in count())
        self._users = list(islice((name for name in names if version.shard_of(name, SHARDS) in shards), players))
        self._shards = [version.shard_of(user, SHARDS) for user in self._users]
        self._versions = [0] * players
        self._open: list[str] = [""] * players
        self._seqs = [0] * SHARDS
        self._count = 0

    def events(self) -> Iterator[Any]:
        """Entries without end: first each player and his money."""
        kind = self._version.names.Kind
        office = self._version.names.BACK_OFFICE
        for player in range(len(self._users)):
            yield self._entry(player, 0, "", kind=kind.CREATE, provider=office, currency="KRW")
            yield self._entry(player, MONEY, "", kind=kind.DEPOSIT, provider=office, amount=MONEY)
        while True:
            yield self._play(self._random.randrange(len(self._users)))

    def _play(self, player: int) -> Any:
        names = self._version.names
        game_no = self._open[player]
        self._open[player] = "" if game_no else f"G{self._count:010}"
        kind, moved, winloss = (names.Kind.RESULT, STAKE, 0) if game_no else (names.Kind.BET, -STAKE, 0)
        items = (names.Item("1", "player", STAKE, winloss),)
        return self._entry(
            player, moved, "+", kind=kind, provider="dowinn", currency="KRW", game_no=game_no or self._open[player],
            items=items, context=CONTEXT,
        )  # fmt: skip

    def _entry(self, player: int, moved: int, effects: str, **fields: Any) -> Any:
        self._count += 1
        self._versions[player] += 1
        shard = self._shards[player]
        self._seqs[shard] += 1
        command = self._version.names.Command(
            user_id=self._users[player], transaction_id=f"{self._count:020}", timestamp_ms=START_MS + self._count,
            received_ms=START_MS + self._count, **fields,
        )  # fmt: skip
        balance = 0 if self._versions[player] == 1 else MONEY - (STAKE if self._open[player] else 0)
        decided = f"{self._versions[player]} {balance} 0 {moved} 0 {effects}"
        return self._version.entry(shard, self._seqs[shard], command, decided.encode())


def batches_of(entries: Iterator[Any], size: int) -> list[list[Any]]:
    """The next entries, by shard."""
    by_shard: dict[int, list[Any]] = {}
    for entry in islice(entries, size):
        by_shard.setdefault(entry.shard, []).append(entry)
    return list(by_shard.values())


def fill(version: First | Now, entries: Iterator[Any], wanted: int, path: Path) -> dict[str, float]:
    """Commit many entries in large batches; what they take in the file."""
    version.connection.execute("PRAGMA synchronous = OFF")
    for _ in range(0, wanted, FILL_BATCH):
        version.commit(batches_of(entries, FILL_BATCH))
    version.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    version.connection.execute("PRAGMA synchronous = FULL")
    (stored,) = version.connection.execute("SELECT count(*) FROM entry").fetchone()
    return {"entries": stored, "file": path.stat().st_size / stored}


def measure(version: First | Now, entries: Iterator[Any], commits: int, size: int, path: Path) -> dict[str, float]:
    """CPU and bytes of the log an entry, each of some commits.

    CPU is that of a writer at work, whose commits move the log into the file now and then. For its bytes the log grows.
    """
    cpu_s = 0.0
    for _ in range(commits):
        batches = batches_of(entries, size)
        began = time.process_time()
        version.commit(batches)
        cpu_s += time.process_time() - began
    version.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (own,) = version.connection.execute("PRAGMA wal_autocheckpoint").fetchone()
    version.connection.execute("PRAGMA wal_autocheckpoint = 0")
    for _ in range(commits):
        version.commit(batches_of(entries, size))
    log_bytes = path.with_name(f"{path.name}-wal").stat().st_size
    version.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    version.connection.execute(f"PRAGMA wal_autocheckpoint = {own}")
    return {"cpu_us": cpu_s / commits / size * 1e6, "log_bytes": log_bytes / commits / size}


def main() -> None:
    """Serve until the input ends."""
    path = Path(sys.argv[1])
    try:  # this order: the present version may be installed, too
        version: First | Now = First(path)
    except ModuleNotFoundError:
        version = Now(path)
    entries: Iterator[Any] = iter(())
    for line in sys.stdin:
        request = json.loads(line)
        if "players" in request:
            entries = Life(version, request["players"]).events()
            answer = fill(version, entries, request["entries"], path)
        else:
            answer = measure(version, entries, request["commits"], request["size"], path)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
