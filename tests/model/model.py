"""The wallet as docs/semantics.md has it, and as nothing else has it: no Redis, no SQL, no waiting, no Lua.

`decide` is a pure function from a player and a command to a verdict. Players do not know each other, so a player is
all the state there is. Every branch names its row. Only the vocabulary of commands is shared with the service. One
file, so that it can be read beside the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from seamless_wallet.commands import Code, Command, Kind, Policy
from tests.model.bets import Bet, Complaint, State, judge, moved

LIMIT = 2**53 - 1
AHEAD_MAX_MS = 5 * 60_000  # row 24
WORST = (Code.R3, Code.R1, Code.R4)  # Identity: R3 is worse than R1, R1 than R4

EventId = tuple[str, str]  # provider, transaction_id: the user is the player (row 3)
BetId = tuple[str, str, str]  # provider, game_no, bet_index


@dataclass(frozen=True)
class Session:
    """`login_ms` by the provider's clock, the others by ours; `closed_ms` 0: no logout since."""

    login_ms: int
    used_ms: int
    closed_ms: int = 0

    def takes_bets(self, policy: Policy, now_ms: int) -> bool:
        """Row 33."""
        ended = now_ms > self.used_ms + policy.session_ms
        left = self.closed_ms > 0 and now_ms > self.closed_ms + policy.session_grace_ms
        return not ended and not left


@dataclass(frozen=True)
class Decline:
    """A decline that is remembered for a while (row 6). `epoch` None: it was given while epochs changed."""

    content: object
    code: Code
    at_ms: int
    epoch: int | None


@dataclass(frozen=True)
class Player:
    """All that the wallet knows of one player. `entries` are those the ledger has of it."""

    currency: str
    blocked: bool = False
    balance: int = 0
    debt: int = 0
    entries: int = 1
    sessions: Mapping[str, Session] = field(default_factory=dict)
    bets: Mapping[BetId, Bet] = field(default_factory=dict)
    events: Mapping[EventId, object] = field(default_factory=dict)  # those that were R0, for ever (rows 1, 2, 8)
    declines: Mapping[EventId, Decline] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """An answer and the player after it. `reasons`: where several rows apply, any of them may be named.

    `effects` has a letter an item, as the ledger's entry has; None if the answer leaves no entry.
    """

    code: Code
    reasons: frozenset[str]
    after: Player | None
    effects: str | None = None
    kept: bool = False  # a decline that row 6 keeps


@dataclass(frozen=True)
class Moment:
    """When something was asked: by our clock, and in which epochs of the shard it may have been decided."""

    now_ms: int
    epochs: tuple[int, int]
    window_ms: int


def content_of(command: Command) -> object:
    """What an event says (Identity, fingerprint)."""
    items = sorted((i.bet_index, i.amount, i.winloss, i.winloss_before) for i in command.items)
    return command.kind, command.currency, command.game_no, command.amount, command.status, tuple(items)


def allowed(player: Player | None, command: Command, policy: Policy, moment: Moment) -> list[Verdict]:
    """Every verdict that the law allows at a moment: one, or two while a decline may be forgotten or not (row 6)."""
    event = (command.provider, command.transaction_id)
    decline = player.declines.get(event) if player else None
    verdicts = []
    for recalled in _recalls(decline, moment):
        before = player
        if player and decline and not recalled:  # what is forgotten once is forgotten for good
            before = replace(player, declines={k: v for k, v in player.declines.items() if k != event})
        verdicts.append(_keep(decide(before, command, policy), command, moment))
    return verdicts


def _recalls(decline: Decline | None, moment: Moment) -> tuple[bool, ...]:
    """Row 6: kept while the epoch lasts, for one hot window at least and two at most."""
    if decline is None:
        return (False,)
    before, after = moment.epochs
    age_ms = moment.now_ms - decline.at_ms
    if age_ms > 2 * moment.window_ms or decline.epoch not in {before, None}:
        return (False,)
    sure = before == after == decline.epoch and age_ms <= moment.window_ms
    return (True,) if sure else (True, False)


def _keep(verdict: Verdict, command: Command, moment: Moment) -> Verdict:
    """The verdict with its decline remembered, if it is of those (row 6)."""
    if not verdict.kept or verdict.after is None:
        return verdict
    before, after = moment.epochs
    decline = Decline(content_of(command), verdict.code, moment.now_ms, after if before == after else None)
    declines = {**verdict.after.declines, (command.provider, command.transaction_id): decline}
    return replace(verdict, after=replace(verdict.after, declines=declines))


def decide(player: Player | None, command: Command, policy: Policy) -> Verdict:
    """One command, by the order of the checks (Identity)."""
    event = (command.provider, command.transaction_id)
    content = content_of(command)
    if command.kind is Kind.CREATE:
        if player is not None:
            return Verdict(Code.R0, frozenset({"exists"}), player)  # 72
        return Verdict(Code.R0, frozenset({"create"}), Player(command.currency, events={event: content}), "")
    if player is None:
        return _declined(None, Code.R3, "unknown_player")  # 21
    decline = player.declines.get(event)
    if event in player.events or decline:
        if content != (decline.content if decline else player.events[event]):
            return _declined(player, Code.R3, "conflict")  # 2
        return Verdict(decline.code if decline else Code.R0, frozenset({"duplicate"}), player)  # 6, 1
    if command.currency not in {"", player.currency}:
        return _declined(player, Code.R3, "currency")  # 17
    verdict = _decide_new(player, command, policy)
    if verdict.code is not Code.R0 or verdict.after is None:
        return verdict
    if max(verdict.after.balance, verdict.after.debt) > LIMIT:
        return _declined(player, Code.R1, "overflow")  # Always
    events = {**verdict.after.events, event: content}
    return replace(verdict, after=replace(verdict.after, events=events, entries=player.entries + 1))


def _declined(player: Player | None, code: Code, *reasons: str, kept: bool = False) -> Verdict:
    return Verdict(code, frozenset(reasons), player, None, kept)


def _decide_new(player: Player, command: Command, policy: Policy) -> Verdict:
    done = frozenset({command.kind.value})
    match command.kind:
        case Kind.LOGIN:
            if player.blocked:
                return _declined(player, Code.R1, "blocked")  # 22
            return Verdict(Code.R0, done, _with_session(player, command, _login(player, command)), "")  # 20
        case Kind.LOGOUT:
            session = player.sessions.get(command.provider)
            if not session or session.closed_ms or command.timestamp_ms <= session.login_ms:
                return Verdict(Code.R0, frozenset({"repeated"}), player, "")  # 23, 24
            closed = replace(session, closed_ms=command.received_ms)
            return Verdict(Code.R0, done, _with_session(player, command, closed), "")  # 23
        case Kind.STATUS:
            return Verdict(Code.R0, done, replace(player, blocked=command.status == "blocked"), "")
        case Kind.DEPOSIT:
            return Verdict(Code.R0, done, replace(player, balance=player.balance + command.amount), "")  # 70, 67
        case Kind.WITHDRAW:
            if player.blocked:
                return _declined(player, Code.R1, "blocked")  # 70
            if command.amount > player.balance - player.debt:
                return _declined(player, Code.R4, "funds")  # 71, 67
            return Verdict(Code.R0, done, replace(player, balance=player.balance - command.amount), "")
        case _:
            return _decide_batch(player, command, policy)


def _login(player: Player, command: Command) -> Session:
    """Opened, or renewed (row 20). Clocks of providers and workers may go back; sessions do not."""
    old = player.sessions.get(command.provider, Session(0, 0))
    login_ms = min(command.timestamp_ms, command.received_ms + AHEAD_MAX_MS)  # 24
    return Session(max(old.login_ms, login_ms), max(old.used_ms, command.received_ms))


def _with_session(player: Player, command: Command, session: Session) -> Player:
    return replace(player, sessions={**player.sessions, command.provider: session})


def _decide_batch(player: Player, command: Command, policy: Policy) -> Verdict:
    """All or nothing, the worst answer is the batch's, what has an effect is added up first (Identity)."""
    complaints: list[Complaint] = []
    remarks: set[str] = set()
    bets: dict[BetId, Bet] = {}
    moves: list[int] = []
    effects = ""
    for item in command.items:
        bet_id = (command.provider, command.game_no, item.bet_index)
        judged = list(judge(command, item, player.bets.get(bet_id), policy))
        effect = next((found for found in judged if isinstance(found, Bet)), None)
        remarks |= {found for found in judged if isinstance(found, str)}
        complaints += [found for found in judged if isinstance(found, tuple)]
        if effect:
            bets[bet_id] = effect
            moves.append(moved(command.kind, effect, player.bets.get(bet_id)))
        effects += "-" if effect is None else "t" if effect.state is State.TOMBSTONE else "+"
    of_a_bet = any(code is Code.R3 for code, _ in complaints)
    if max(sum(m for m in moves if m > 0), -sum(m for m in moves if m < 0)) > LIMIT:
        complaints.append((Code.R3, "overflow"))  # Always
    for worst in WORST:
        reasons = [reason for code, reason in complaints if code is worst]
        if reasons:
            return _declined(player, worst, *reasons, kept=of_a_bet and command.kind is Kind.BET)
    if not bets:
        return Verdict(Code.R0, frozenset(remarks or {"repeated"}), player, effects)  # 4, 42, 52, 60, 63
    after = replace(player, bets={**player.bets, **bets})
    if command.kind is Kind.BET:
        return _take_stakes(after, player, command, policy, sum(moves), effects)
    verdict = _settle_up(after, player, command, policy, sum(moves), effects)
    return replace(verdict, reasons=frozenset(remarks)) if remarks and verdict.code is Code.R0 else verdict


def _take_stakes(after: Player, player: Player, command: Command, policy: Policy, total: int, effects: str) -> Verdict:
    """Age, blocked, session, funds, in this order; a bet that is taken renews the session."""
    session = player.sessions.get(command.provider)
    if 0 < policy.bet_age_max_ms < command.received_ms - command.timestamp_ms:
        return _declined(player, Code.R3, "bet_too_old")  # 35
    if player.blocked:
        return _declined(player, Code.R1, "blocked")  # 32
    if policy.session_required and not (session and session.takes_bets(policy, command.received_ms)):
        return _declined(player, Code.R1, "no_session")  # 33
    if player.balance + total < 0:
        return _declined(player, Code.R4, "funds", kept=True)  # 31, 6
    after = replace(after, balance=player.balance + total)
    if session and not session.closed_ms:
        after = _with_session(after, command, replace(session, used_ms=max(session.used_ms, command.received_ms)))
    return Verdict(Code.R0, frozenset({"bet"}), after, effects)


def _settle_up(after: Player, player: Player, command: Command, policy: Policy, total: int, effects: str) -> Verdict:
    """A credit pays the debt first; a change that takes more than there is makes a debt."""
    if total >= 0:
        balance_delta, debt_delta = total - min(player.debt, total), -min(player.debt, total)  # 67
    elif -total > player.balance and policy.change_overdraw == "reject":
        return _declined(player, Code.R4, "funds")  # 66 (cfg)
    else:
        balance_delta = -min(player.balance, -total)  # 66
        debt_delta = -total + balance_delta
    after = replace(after, balance=player.balance + balance_delta, debt=player.debt + debt_delta)
    return Verdict(Code.R0, frozenset({command.kind.value}), after, effects)
