"""Why a commit was refused: the first entry of each wallet that does not follow, and why. It writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seamless_wallet.commands import Kind
from seamless_wallet.ledger.bets import Bet, parse_bet
from seamless_wallet.ledger.conflicts import Refusal, RefusalCause
from seamless_wallet.ledger.entry import CHAIN_START, INVALID_ENTRY_ERRORS, Entry
from seamless_wallet.ledger.fold import BetContradiction, first_seen_bets
from seamless_wallet.ledger.payload import UnknownPayloadVersion
from seamless_wallet.stores.known import BetIdentity
from seamless_wallet.stores.planning import plan_commit
from seamless_wallet.stores.postgres.primary import Connection
from seamless_wallet.stores.postgres.row_forms import can_be_indexed, can_be_kept, wallet_of
from seamless_wallet.stores.postgres.sql import READ_SQL, WRITE_SQL
from seamless_wallet.stores.rows import InvalidEntry, StoredWallet

Named = tuple[str, bytes, str]
"""user_id, digest, and bet_index or "" for an event."""


async def find_refusals(connection: Connection, shards: int, batches: Sequence[Sequence[Entry]]) -> list[Refusal]:
    """Try entry by entry on what SQL had a moment ago. What is of a wallet behind a refused entry is not tried."""
    ends = {shard: seq for shard, _, seq, *_ in await connection.fetch(
        WRITE_SQL["chain_ends"], [batch[0].shard for batch in batches]
    )}  # fmt: skip
    fresh = [entry for batch in batches for entry in batch if entry.seq > ends.get(entry.shard, 0)]
    named = {name: None for entry in fresh for name in _named(entry) if can_be_kept(name[0] + name[2])}
    names = list({entry.user_id: None for entry in fresh if can_be_kept(entry.user_id)})
    users, digests, indexes = zip(*named, strict=True) if named else ((), (), ())
    rows = await connection.fetch(WRITE_SQL["states"], names, users, digests, indexes)
    scales = {row["name"] for row in await connection.fetch(READ_SQL["currencies"])}
    trial = _Trial(shards, rows, scales)
    found: dict[str, Refusal] = {}
    for entry in fresh:
        if entry.user_id not in found:
            refusal = trial.refusal(entry)
            if refusal is not None:
                found[entry.user_id] = refusal
    return list(found.values())


def _named(entry: Entry) -> Iterable[Named]:
    """Every mark that the entry has to do with."""
    try:
        if entry.void:
            return []
        names = [(entry.user_id, entry.event_digest, "")]
        digest = entry.round_digest
        if digest is not None:
            names += [(entry.user_id, digest, item.bet_index) for item in entry.command.items]
    except (UnknownPayloadVersion, *INVALID_ENTRY_ERRORS):
        return []
    return names


class _Trial:
    """Wallets, events and bets as SQL had them, with the entries on top that were found good."""

    def __init__(self, shards: int, rows: Iterable[Sequence[object]], currencies: set[str]) -> None:
        self._shards = shards
        self._currencies = currencies
        self._wallets: dict[str, StoredWallet] = {}
        self._events: dict[tuple[int, bytes], int] = {}
        self._bets: dict[BetIdentity, Bet] = {}
        for row in rows:
            player, user_id, *_, digest, bet_index, entry, state = row
            if user_id is not None:
                self._wallets[str(user_id)] = wallet_of(row, shards)
            elif state is None:
                self._events[player, digest] = entry  # type: ignore[index, assignment]
            else:
                self._bets[player, digest, bet_index] = parse_bet(str(state))  # type: ignore[index]

    def refusal(self, entry: Entry) -> Refusal | None:
        """Why not, or None. That an identity is known goes before all else, as it explains the rest."""

        def refused(cause: RefusalCause, detail: str) -> Refusal:
            return Refusal(entry.shard, entry.seq, entry.user_id, entry.provider, cause, detail)

        try:
            reused = "" if entry.void else self._known_identity(entry)
            if reused:
                return refused(RefusalCause.REUSED, reused)
            self._add(entry)
        except BetContradiction as error:
            return refused(RefusalCause.CONTRADICTED, str(error))
        except INVALID_ENTRY_ERRORS as error:
            return refused(RefusalCause.UNSTORABLE, f"cannot be stored: {error}")
        return None

    def _add(self, entry: Entry) -> None:
        plan = plan_commit([(entry, CHAIN_START)], self._shards, None, self._wallets.get, self._bets.get)
        if any(wallet.wallet.currency not in self._currencies for wallet in plan.wallets.values()):
            raise InvalidEntry("a currency that the ledger has not")
        for row in plan.entries:
            if any(isinstance(value, str) and not can_be_kept(value) for value in row):
                raise InvalidEntry("a text that the database does not keep")
        if not all(map(can_be_indexed, [*plan.wallets, *(bet_index for _, _, bet_index in plan.bets)])):
            raise InvalidEntry("a name that the database does not keep, or that is too long for its indexes")
        self._wallets.update(plan.wallets)
        self._bets.update(plan.bets)
        self._events.update(((player, digest), place) for player, digest, place in plan.events)

    def _known_identity(self, entry: Entry) -> str:
        """Which identity of the entry is known already, in words; "" if none is."""
        stored = self._wallets.get(entry.user_id)
        if stored is None:
            return ""
        place = self._events.get((stored.player, entry.event_digest))
        if place is not None:
            return f"its event is that of entry {place // self._shards}"
        digest = entry.round_digest
        for index in first_seen_bets(entry):
            if digest and (stored.player, digest, index) in self._bets:
                return "a bet of it was seen before"
        return "its player exists" if entry.command.kind is Kind.CREATE else ""
