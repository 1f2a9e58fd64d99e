"""The scripts with one thing wrong with them: what the comparison with the model has to find.

Each is a place in a file of lua/ and what it becomes. A mutant whose place is gone fails its test: move it along.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Mutant(NamedTuple):
    """`old`, which is there once, becomes `new`."""

    file: str
    old: str
    new: str

    def write_into(self, lua: Path) -> None:
        """Change a copy of lua/."""
        path = lua / self.file
        text = path.read_text("utf-8")
        assert text.count(self.old) == 1, f"{self.file} has {self.old!r} {text.count(self.old)} times"
        path.write_text(text.replace(self.old, self.new), "utf-8")


MUTANTS = {
    # ---------------------------------------------------------------- identity
    "a retry is decided again": Mutant("include/event.lua", "if seen then", "if false then"),
    "the fingerprint is ignored": Mutant("include/event.lua", "string.sub(seen, 1, 16) ~= ARGV[4]", "false"),
    "the fingerprint counts for a period": Mutant(
        "include/event.lua",
        "string.sub(seen, 1, 16) ~= ARGV[4]",
        "redis.call('HGET', KEYS[3], ARGV[3]) and string.sub(seen, 1, 16) ~= ARGV[4]",
    ),
    "the fingerprint of a decline is ignored": Mutant(
        "include/event.lua",
        "string.sub(seen, 1, 16) ~= ARGV[4]",
        "string.sub(seen, 17, 18) == 'R0' and string.sub(seen, 1, 16) ~= ARGV[4]",
    ),
    "a duplicate is always R0": Mutant("include/event.lua", "answer('DUP', code,", "answer('DUP', 'R0',"),
    "any currency will do": Mutant("include/event.lua", "ARGV[12] ~= wallet[6]", "false"),
    "nothing declined is remembered": Mutant("bet.lua", "record_event(code, '')", "local _ = code"),
    "declines without need are remembered": Mutant(
        "bet.lua", "return decline('R1', 'no_session')", "return decline_for_good('R1', 'no_session')"
    ),
    "events of the period before are forgotten": Mutant(
        "include/event.lua", " or redis.call('HGET', KEYS[4], ARGV[3])", ""
    ),
    # ---------------------------------------------------------------- bets
    "a cancelled bet can be placed": Mutant(
        "bet.lua", "item.bet.state == 'C' or item.bet.state == 'T'", "item.bet.state == 'T'"
    ),
    "tombstones hold nothing": Mutant(
        "bet.lua", "item.bet.state == 'C' or item.bet.state == 'T'", "item.bet.state == 'C'"
    ),
    "a bet of another stake is a repetition": Mutant("bet.lua", "item.bet.stake ~= item.amount", "false"),
    "a repeated bet is taken again": Mutant("bet.lua", "if not item.bet then", "if true then"),
    "blocked players bet": Mutant("bet.lua", "if wallet.blocked then", "if false then"),
    "blocked players repeat nothing": Mutant("bet.lua", "if #batch.bets > 0 then", "if true then"),
    "nobody needs a session": Mutant("bet.lua", "ARGV[14] == '1'", "false"),
    "everybody needs a session": Mutant("bet.lua", "ARGV[14] == '1'", "true"),
    "a session ends a millisecond early": Mutant("bet.lua", "now <= open.renewed", "now < open.renewed"),
    "there is no grace after logout": Mutant("bet.lua", "open.closed + integer(ARGV[16])", "open.closed"),
    "grace ends a millisecond early": Mutant("bet.lua", "now > open.closed +", "now >= open.closed +"),
    "grace has no end": Mutant("bet.lua", "(open.closed > 0 and now > open.closed + integer(ARGV[16]))", "false"),
    "all of the balance cannot be bet": Mutant("bet.lua", "balance + batch.moved < 0", "balance + batch.moved <= 0"),
    "a bet renews nothing": Mutant("bet.lua", "open and open.closed == 0", "false"),
    "a bet in grace opens the session": Mutant("bet.lua", "open and open.closed == 0", "open"),
    "a bet may shorten the session": Mutant("bet.lua", "math.max(now, open.renewed)", "now"),
    "debts count for bets": Mutant("bet.lua", "balance + batch.moved < 0", "balance - debt + batch.moved < 0"),
    # ---------------------------------------------------------------- cancel
    "a cancel of another stake is fine": Mutant("cancel.lua", "bet.stake ~= item.amount", "false"),
    "a settled bet is cancelled": Mutant("cancel.lua", "bet.state == 'S' then", "false then"),
    "an unknown bet leaves no tombstone": Mutant(
        "cancel.lua", "put(item, 't', 'T ' .. text_of(item.amount), 0)", "keep()"
    ),
    "an unknown bet is refunded": Mutant(
        "cancel.lua",
        "put(item, 't', 'T ' .. text_of(item.amount), 0)",
        "put(item, 't', 'T ' .. text_of(item.amount), item.amount)",
    ),
    "unknown bets are R3 with nobody": Mutant("cancel.lua", "ARGV[14] == 'r3'", "false"),
    "a cancelled bet is refunded again": Mutant("cancel.lua", "bet.state == 'O' then", "bet.state ~= 'S' then"),
    "a refund pays no debt": Mutant(
        "cancel.lua", "return post_credit('cancel')", "return post_batch('cancel', batch.moved, 0)"
    ),
    # ---------------------------------------------------------------- result
    "a win pays no debt": Mutant(
        "result.lua", "return post_credit('result')", "return post_batch('result', batch.moved, 0)"
    ),
    "winnings without the stake": Mutant("result.lua", "bet.stake + winloss)", "winloss + 0 * bet.stake)"),
    "an orphan is R3": Mutant("result.lua", "return decline('R1', 'orphan')", "return decline('R3', 'orphan')"),
    "an orphan hides a worse item": Mutant("result.lua", "orphan = true", "return decline('R1', 'orphan')"),
    "a loss may exceed the stake": Mutant("result.lua", "winloss < -item.amount", "false"),
    "a result of another stake is fine": Mutant("result.lua", "bet.stake ~= item.amount", "false"),
    "a cancelled bet is settled": Mutant("result.lua", "bet.state == 'C' or bet.state == 'T'", "bet.state == 'T'"),
    "the first winloss is forgotten": Mutant("result.lua", "if bet.first == winloss then", "if false then"),
    "only the newest winloss is known": Mutant(
        "result.lua",
        "if bet.first == winloss then",
        "if #bet.changes > 0 then return bet.winloss == winloss end\n  if bet.first == winloss then",
    ),
    "any winloss is a repetition": Mutant("result.lua", "elseif had(bet, winloss) then", "elseif true then"),
    "a result settles again": Mutant(
        "result.lua", "bet.state == 'O' then", "bet.state ~= 'C' and not had(bet, winloss) then"
    ),
    # ---------------------------------------------------------------- change
    "the first winloss decides the money": Mutant("change.lua", "after - bet.winloss)", "after - bet.first)"),
    "before is not looked at": Mutant("change.lua", "if before == bet.winloss then", "if true then"),
    "a pair that was applied is never applied again": Mutant(
        "change.lua",
        "  if before == bet.winloss then",
        "  if pair_applied then\n    return 'repeated'\n  end\n  if before == bet.winloss then",
    ),
    "the same change is applied again": Mutant("change.lua", "if change.timestamp == timestamp then", "if false then"),
    "a change of the same time is a repetition": Mutant(
        "change.lua",
        "if change.before == before and change.after == after then",
        "if change.timestamp == timestamp then",
    ),
    "the tolerance is a millisecond less": Mutant(
        "change.lua", "timestamp < last.timestamp -", "timestamp <= last.timestamp -"
    ),
    "there is no tolerance": Mutant("change.lua", "last.timestamp - integer(ARGV[16])", "last.timestamp"),
    "changes of any age": Mutant("change.lua", "if last and timestamp <", "if last and false and timestamp <"),
    "the tolerance is from the first change": Mutant(
        "change.lua", "local last = bet.changes[#bet.changes]", "local last = bet.changes[1]"
    ),
    "an old pair is early": Mutant("change.lua", "pair_applied and 'repeated' or 'early'", "'early'"),
    "an early change is a repetition": Mutant("change.lua", "pair_applied and 'repeated' or 'early'", "'repeated'"),
    "changes have no limit": Mutant("change.lua", "#bet.changes < integer(ARGV[15]) and", "true and"),
    "the last change that fits is refused": Mutant(
        "change.lua", "#bet.changes < integer(ARGV[15])", "#bet.changes + 1 < integer(ARGV[15])"
    ),
    "an open bet is changed": Mutant("change.lua", "not bet or bet.state == 'O' then", "not bet then"),
    "a cancelled bet is changed": Mutant("change.lua", "bet.state == 'C' or bet.state == 'T'", "bet.state == 'T'"),
    "a change of another stake is fine": Mutant("change.lua", "bet.stake ~= item.amount", "false"),
    "a change below the stake": Mutant("change.lua", "after < -item.amount", "false"),
    "a change up pays no debt": Mutant(
        "change.lua", "return post_credit('change')", "return post_batch('change', batch.moved, 0)"
    ),
    "a debt is forgotten": Mutant(
        "change.lua",
        "return post_batch('change', -taken, -batch.moved - taken)",
        "return post_batch('change', -taken, 0)",
    ),
    "overdraw is never rejected": Mutant("change.lua", "ARGV[14] == 'reject'", "false"),
    "overdraw is always rejected": Mutant("change.lua", "ARGV[14] == 'reject'", "true"),
    "reject up to nothing left": Mutant("change.lua", "taken < -batch.moved and", "taken <= -batch.moved and"),
    "R1 before R3 in a batch": Mutant(
        "change.lua", "later = later or (bet and 'change_early' or 'orphan')", "return decline('R1', 'orphan')"
    ),
    # ---------------------------------------------------------------- batches
    "a debt is paid twice": Mutant("include/credit.lua", "batch.moved - paid, -paid", "batch.moved, -paid"),
    "a debt is overpaid": Mutant("include/credit.lua", "math.min(debt, batch.moved)", "math.min(debt, 100)"),
    "a credit pays half of the debt": Mutant(
        "include/credit.lua", "math.min(debt, batch.moved)", "math.min(math.floor(debt / 2), batch.moved)"
    ),
    "only the first item moves money": Mutant(
        "include/bets.lua",
        "batch.moved = batch.moved + delta",
        "batch.moved = batch.moved ~= 0 and batch.moved or delta",
    ),
    "the order of items decides on overflow": Mutant(
        "include/bets.lua",
        "batch.overflow = batch.given > LIMIT or batch.taken > LIMIT",
        "batch.overflow = math.abs(batch.moved) > LIMIT",
    ),
    "what is kept is told as done": Mutant("include/bets.lua", "batch.letters + 1] = '-'", "batch.letters + 1] = '+'"),
    "open bets are not counted": Mutant(
        "include/bets.lua",
        "batch.opened = batch.opened + (string.sub(text, 1, 1) == 'O' and 1 or 0) - counted",
        "batch.opened = batch.opened + counted",
    ),
    # ---------------------------------------------------------------- posting
    "the version stands still": Mutant(
        "include/post.lua", "text_of(integer(wallet[1]) + 1)", "text_of(integer(wallet[1]))"
    ),
    "numbers beyond 2^53": Mutant("include/post.lua", "new_balance > LIMIT or new_debt > LIMIT", "new_debt > LIMIT"),
    "debts beyond 2^53": Mutant("include/post.lua", "new_balance > LIMIT or new_debt > LIMIT", "new_balance > LIMIT"),
    "an event is recorded under R1": Mutant("include/post.lua", "record_event('R0', seq)", "record_event('R1', seq)"),
    "an event is not recorded": Mutant("include/post.lua", "  record_event('R0', seq)\n", ""),
    "the round is not written": Mutant("include/post.lua", "#changes.bets > 0", "#changes.bets > 99"),
    # ---------------------------------------------------------------- sessions, back office
    "blocked players log in": Mutant("login.lua", "if wallet.blocked then", "if false then"),
    "an old login sets the session back": Mutant("login.lua", "math.max(login, open.login)", "login"),
    "a login does not open again": Mutant(
        "login.lua", "session_text(login, renewed, 0)", "session_text(login, renewed, open and open.closed or 0)"
    ),
    "an old logout closes": Mutant("logout.lua", "integer(ARGV[10]) <= open.login", "false"),
    "a logout of the same time closes": Mutant(
        "logout.lua", "integer(ARGV[10]) <= open.login", "integer(ARGV[10]) < open.login"
    ),
    "a logout is repeated": Mutant("logout.lua", "open.closed > 0 or", ""),
    "a logout keeps the session": Mutant("logout.lua", "integer(ARGV[9]))", "0)"),
    "one session for all providers": Mutant("include/event.lua", "'s:' .. ARGV[11]", "'s:games'"),
    "a deposit pays the debt": Mutant(
        "transfer.lua",
        "return post('deposit', {balance = amount})",
        "local paid = math.min(debt, amount)\n  return post('deposit', {balance = amount - paid, debt = -paid})",
    ),
    "debts can be withdrawn": Mutant("transfer.lua", "amount > balance - debt", "amount > balance"),
    "all of the balance cannot be withdrawn": Mutant(
        "transfer.lua", "amount > balance - debt", "amount >= balance - debt"
    ),
    "blocked players withdraw": Mutant("transfer.lua", "if wallet.blocked then", "if false then"),
    "nobody is ever blocked": Mutant("include/event.lua", "wallet[5] ~= 'active'", "false"),
}
