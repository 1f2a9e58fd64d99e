"""Every key that this service has in Redis. `{s}` is the hash tag of the shard, g its current epoch.

| key                      | type          | holds                                                              |
|--------------------------|---------------|--------------------------------------------------------------------|
| `{s}:head`               | hash          | epoch, seq (last), committed (seq), period, period_at, ledger UUID, |
|                          |               | nonce (of the writer), last (token of the last entry), evicted (a  |
|                          |               | load from before that seq is refused), cold (providers), kept (old |
|                          |               | epochs that have what SQL lacks, if there are any)                 |
| `{s}:w:g:<user>`         | hash          | a wallet; written last by `install`: present = completely loaded   |
| `{s}:r:g:<round>`        | hash          | bet_index → state of the bet; field "" counts the open bets        |
| `{s}:i:g:<user>:<period>`| hash, expires | event digest → fingerprint, code, seq of its entry                 |
| `{s}:l:g`                | stream        | ledger entries, id `<epoch>-<seq>`                                 |
| `{s}:writer`             | string, exp.  | the heartbeat of the shard's writer: its nonce and a number        |

All keys of one shard share its hash tag and so one Cluster slot: a script may touch any of them. A user_id is the
last but one part at the most, and what follows it is a number: no two users share a key.

Channels: `wallet:<ledger>:committed` (what SQL has committed of each shard, at least four times a second) and
`wallet:<ledger>:recover` (a worker asks a shard's writer to look at it again; a writer tells others what is free).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

HEARTBEAT_MS: Final = 3_000
"""How long a heartbeat lasts. A shard whose writer has finished no cycle for so long counts as deserted: another one
takes it over faster.
"""

IDLE_PATTERN: Final = "{*}:[wr]:*"
"""SCAN pattern of all wallets and rounds."""


def committed_channel(ledger_uuid: str) -> str:
    """Where the writers tell all processes what SQL has committed.

    Channels are shared by all databases of a server.
    """
    return f"wallet:{ledger_uuid}:committed"


def recover_channel(ledger_uuid: str) -> str:
    """Where a process asks the writer to look at a shard again."""
    return f"wallet:{ledger_uuid}:recover"


def heartbeat(tag: int | str) -> str:
    """The nonce of the shard's writer and a number that grows, as long as it has just done a whole cycle."""
    return f"{{{tag}}}:writer"


def beat(nonce: str, number: int) -> str:
    """What a heartbeat holds."""
    return f"{nonce} {number}"


def beating(value: bytes) -> str:
    """The nonce of the writer whose heartbeat this is."""
    return value.decode(errors="replace").partition(" ")[0]


@lru_cache(maxsize=1024)
def head(tag: int | str) -> str:
    """Head of a shard."""
    return f"{{{tag}}}:head"


@lru_cache(maxsize=1024)
def stream(tag: int | str, epoch: int) -> str:
    """Ledger stream of a shard in one epoch."""
    return f"{{{tag}}}:l:{epoch}"


def wallet(tag: int | str, epoch: int, user_id: str) -> str:
    """A player's wallet in one epoch."""
    return f"{{{tag}}}:w:{epoch}:{user_id}"


def round_(tag: int | str, epoch: int, digest: bytes) -> str:
    """A round's bets in one epoch, by the digest of (provider, user_id, game_no)."""
    return f"{{{tag}}}:r:{epoch}:{digest.hex()}"


def events(tag: int | str, epoch: int, user_id: str, period: int) -> str:
    """A player's event digests of one idempotency period."""
    return f"{{{tag}}}:i:{epoch}:{user_id}:{period}"


def kind_of(key: str) -> str:
    """The letter of a key that belongs to some epoch: w, r, i or l."""
    return key.split(":", 2)[1]


def epoch_pattern(tag: int | str) -> str:
    """SCAN pattern of all keys of a shard that belong to some epoch."""
    return f"{{{tag}}}:[wril]:*"


def epoch_of(key: str) -> tuple[str, int]:
    """Shard tag and epoch in the name of a key that `epoch_pattern` found. Raises ValueError for another."""
    tag, _, epoch, *_ = key.split(":", 3)
    return tag[1:-1], int(epoch)
