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


PAYS_NO_DEBT = "local balance_delta, debt_delta = given - taken, 0\n"
"""Instead of the include that pays a debt first."""

MUTANTS = {
    # ---------------------------------------------------------------- identity
    "a retry is decided again": Mutant("include/event.lua", "if seen then", "if false then"),
    "the fingerprint is ignored": Mutant("include/event.lua", "string.sub(seen, 1, 16) ~= fingerprint", "false"),
    "the fingerprint counts for a period": Mutant(
        "include/event.lua",
        "string.sub(seen, 1, 16) ~= fingerprint",
        "redis.call('HGET', events_now_key, digest) and string.sub(seen, 1, 16) ~= fingerprint",
    ),
    "the fingerprint of a decline is ignored": Mutant(
        "include/event.lua",
        "string.sub(seen, 1, 16) ~= fingerprint",
        "string.sub(seen, 17, 18) == 'R0' and string.sub(seen, 1, 16) ~= fingerprint",
    ),
    "a duplicate is always R0": Mutant("include/event.lua", "string.sub(seen, 17, 18)", "'R0'"),
    "any currency will do": Mutant("include/event.lua", "currency ~= wallet_currency then", "false then"),
    "nothing declined is remembered": Mutant("include/conclude.lua", "if is_final then", "if false then"),
    "declines without need are remembered": Mutant(
        "bet.lua",
        "not is_alive then\n    code, reason = 'R1', 'no_session'",
        "not is_alive then\n    code, reason, is_final = 'R1', 'no_session', true",
    ),
    "events of the period before are forgotten": Mutant(
        "include/event.lua", " or redis.call('HGET', events_before_key, digest)", ""
    ),
    # ---------------------------------------------------------------- bets
    "a cancelled bet can be placed": Mutant("bet.lua", "state == 'C' or state == 'T'", "state == 'T'"),
    "tombstones hold nothing": Mutant("bet.lua", "state == 'C' or state == 'T'", "state == 'C'"),
    "a bet of another stake is a repetition": Mutant("bet.lua", "stake ~= amount", "false"),
    "a repeated bet is taken again": Mutant("bet.lua", "if not bet then", "if true then"),
    "blocked players bet": Mutant("bet.lua", "status ~= 'active'", "false"),
    "blocked players repeat nothing": Mutant("bet.lua", "not code and #written > 0 then", "not code then"),
    "nobody needs a session": Mutant(
        "bet.lua", "session_required == '1' and not is_alive", "false and session_required and not is_alive"
    ),
    "everybody needs a session": Mutant("bet.lua", "session_required == '1' and not is_alive", "not is_alive"),
    "bets of any age": Mutant("bet.lua", "now - integer(timestamp_ms) > integer(age_max_ms)", "false"),
    "a bet of just the highest age is refused": Mutant(
        "bet.lua",
        "now - integer(timestamp_ms) > integer(age_max_ms)",
        "now - integer(timestamp_ms) >= integer(age_max_ms)",
    ),
    "without a highest age all bets are too old": Mutant("bet.lua", "age_max_ms ~= '0' and now", "now"),
    "a bet ahead of our clock is old": Mutant(
        "bet.lua",
        "now - integer(timestamp_ms) > integer(age_max_ms)",
        "math.abs(now - integer(timestamp_ms)) > integer(age_max_ms)",
    ),
    "a refusal for age is kept": Mutant(
        "bet.lua", "code, reason = 'R3', 'bet_too_old'", "code, reason, is_final = 'R3', 'bet_too_old', true"
    ),
    "blocked comes before age": Mutant(
        "bet.lua", "if age_max_ms ~= '0' and", "if status == 'active' and age_max_ms ~= '0' and"
    ),
    "an old bet is refused though it is placed": Mutant(
        "bet.lua",
        "if not code and #written > 0 then",
        "if not code and age_max_ms ~= '0' and now - integer(timestamp_ms) > integer(age_max_ms) then\n"
        "  code, reason = 'R3', 'bet_too_old'\nend\nif not code and #written > 0 then",
    ),
    "a session ends a millisecond early": Mutant("bet.lua", "now <= renewal", "now < renewal"),
    "there is no grace after logout": Mutant("bet.lua", " + integer(session_grace_ms)", ""),
    "grace ends a millisecond early": Mutant("bet.lua", "now > integer(closed) +", "now >= integer(closed) +"),
    "grace has no end": Mutant("bet.lua", "now > integer(closed) + integer(session_grace_ms)", "false"),
    "all of the balance cannot be bet": Mutant("bet.lua", "taken > balance then", "taken >= balance then"),
    "a bet renews nothing": Mutant("bet.lua", "login and closed == '0'", "false"),
    "a bet in grace opens the session": Mutant("bet.lua", "login and closed == '0'", "login"),
    "a bet may shorten the session": Mutant("bet.lua", "(now > renewal and now_ms or renewed)", "now_ms"),
    "debts count for bets": Mutant("bet.lua", "taken > balance then", "taken > balance - debt then"),
    # ---------------------------------------------------------------- cancel
    "a cancel of another stake is fine": Mutant("cancel.lua", "stake ~= amount", "false"),
    "a settled bet is cancelled": Mutant("cancel.lua", "state == 'S' then", "false then"),
    "an unknown bet leaves no tombstone": Mutant(
        "cancel.lua",
        "    written[#written + 1] = indexes[i]\n    written[#written + 1] = string.format('T %d', amount)\n"
        "    effects = effects .. 't'\n",
        "    effects = effects .. '-'\n",
    ),
    "an unknown bet is refunded": Mutant(
        "cancel.lua", "effects = effects .. 't'", "effects, given = effects .. 't', given + amount"
    ),
    "unknown bets are R3 with nobody": Mutant("cancel.lua", "unknown == 'r3'", "false"),
    "a cancelled bet is refunded again": Mutant("cancel.lua", "state == 'O' then", "state ~= 'S' then"),
    "a refund pays no debt": Mutant("cancel.lua", "-- @include credit\n", PAYS_NO_DEBT),
    # ---------------------------------------------------------------- result
    "a win pays no debt": Mutant("result.lua", "-- @include credit\n", PAYS_NO_DEBT),
    "winnings without the stake": Mutant("result.lua", "given + stake + winloss", "given + winloss"),
    "an orphan is R3": Mutant("result.lua", "'R1', 'orphan'", "'R3', 'orphan'"),
    "an orphan hides a worse item": Mutant("result.lua", "is_orphan = true", "code, reason = 'R1', 'orphan'"),
    "a loss may exceed the stake": Mutant("result.lua", "winloss < -amount", "false"),
    "a result of another stake is fine": Mutant("result.lua", "stake ~= amount", "false"),
    "a cancelled bet is settled": Mutant("result.lua", "state == 'C' or state == 'T'", "state == 'T'"),
    "the first winloss is forgotten": Mutant("result.lua", "if first == winloss then", "if false then"),
    "only the newest winloss is known": Mutant(
        "result.lua",
        "  local _, first, changes = parts_of_settled(bet)\n",
        "  local newest, first, changes = parts_of_settled(bet)\n"
        "  if changes ~= '' then return newest == winloss end\n",
    ),
    "any winloss is a repetition": Mutant("result.lua", "elseif had(bet, winloss) then", "elseif true then"),
    "a result settles again": Mutant(
        "result.lua", "state == 'O' then", "state == 'O' or state == 'S' and not had(bet, winloss) then"
    ),
    # ---------------------------------------------------------------- change
    "the first winloss decides the money": Mutant(
        "change.lua",
        "given + math.max(after - winloss, 0), taken + math.max(winloss - after, 0)",
        "given + math.max(after - first, 0), taken + math.max(first - after, 0)",
    ),
    "before is not looked at": Mutant("change.lua", "if before == winloss then", "if true then"),
    "a pair that was applied is never applied again": Mutant(
        "change.lua",
        "  if before == winloss then",
        "  if pair_applied then\n    return 'repeated'\n  end\n  if before == winloss then",
    ),
    "the same change is applied again": Mutant("change.lua", "if last_timestamp == timestamp then", "if false then"),
    "a change of the same time is a repetition": Mutant(
        "change.lua",
        "if integer(old_before) == before and integer(old_after) == after then",
        "if last_timestamp == timestamp then",
    ),
    "the tolerance is a millisecond less": Mutant(
        "change.lua", "timestamp < last_timestamp -", "timestamp <= last_timestamp -"
    ),
    "there is no tolerance": Mutant("change.lua", "last_timestamp - tolerance", "last_timestamp"),
    "changes of any age": Mutant("change.lua", "if last_timestamp and timestamp <", "if false and timestamp <"),
    "the tolerance is from the first change": Mutant(
        "change.lua",
        "    if last_timestamp and timestamp <",
        "    last_timestamp = last_timestamp and integer(string.match(changes, '(%d+)'"
        " , (string.find(changes, ':%d+ ') or string.find(changes, ':%d+$')) + 1))\n"
        "    if last_timestamp and timestamp <",
    ),
    "an old pair is early": Mutant("change.lua", "pair_applied and 'repeated' or 'early'", "'early'"),
    "an early change is a repetition": Mutant("change.lua", "pair_applied and 'repeated' or 'early'", "'repeated'"),
    "changes have no limit": Mutant("change.lua", "count < count_max and", "true and"),
    "the last change that fits is refused": Mutant("change.lua", "count < count_max", "count + 1 < count_max"),
    "an open bet is changed": Mutant("change.lua", "elseif state == 'O' then", "elseif false then"),
    "a cancelled bet is changed": Mutant("change.lua", "state == 'C' or state == 'T'", "state == 'T'"),
    "a change of another stake is fine": Mutant("change.lua", "bet and stake ~= amount", "false"),
    "a change below the stake": Mutant("change.lua", "after < -amount", "false"),
    "a change up pays no debt": Mutant("change.lua", "-- @include credit\n", PAYS_NO_DEBT),
    "a debt is forgotten": Mutant("change.lua", "debt_delta = taken - given + balance_delta", "debt_delta = 0"),
    "overdraw is never rejected": Mutant("change.lua", "overdraw == 'reject'", "false"),
    "overdraw is always rejected": Mutant("change.lua", "overdraw == 'reject'", "true"),
    "reject up to nothing left": Mutant("change.lua", "debt_delta > 0 and overdraw", "given < taken and overdraw"),
    "R1 before R3 in a batch": Mutant("change.lua", "later = later or 'orphan'", "code, reason = 'R1', 'orphan'"),
    "a superseded change is a repetition": Mutant(
        "change.lua", "winloss == after and 'repeated' or 'superseded'", "'repeated'"
    ),
    "every exact repetition is superseded": Mutant(
        "change.lua", "winloss == after and 'repeated' or 'superseded'", "'superseded'"
    ),
    "what is applied hides what is superseded": Mutant(
        "change.lua",
        "elseif not code and is_superseded then",
        "elseif not code and is_superseded and #written == 0 then",
    ),
    # ---------------------------------------------------------------- batches
    "a debt is paid twice": Mutant("include/credit.lua", "given - taken + debt_delta", "given - taken"),
    "a debt is overpaid": Mutant("include/credit.lua", "math.min(debt, given - taken)", "math.min(debt, 100)"),
    "a credit pays half of the debt": Mutant(
        "include/credit.lua", "math.min(debt, given - taken)", "math.min(math.floor(debt / 2), given - taken)"
    ),
    "only the first item moves money": Mutant(
        "result.lua", "given + stake + winloss", "given ~= 0 and given or stake + winloss"
    ),
    "the order of items decides on overflow": Mutant(
        "change.lua",
        "given, taken = given + math.max(after - winloss, 0), taken + math.max(winloss - after, 0)",
        "given, taken = math.max(given - taken + after - winloss, 0), math.max(taken - given + winloss - after, 0)",
    ),
    "what is kept is told as done": Mutant("bet.lua", "effects .. '-'", "effects .. '+'"),
    "bets that are opened are not counted": Mutant("bet.lua", "opened + 1", "opened"),
    "bets that are settled stay open": Mutant("result.lua", "(stored[i + 1] and 1 or 0)", "0"),
    # ---------------------------------------------------------------- posting
    "the version stands still": Mutant("include/conclude.lua", "integer(version_text) + 1", "integer(version_text)"),
    "numbers beyond 2^53": Mutant(
        "include/conclude.lua", "new_balance > LIMIT or new_debt > LIMIT", "new_debt > LIMIT"
    ),
    "debts beyond 2^53": Mutant(
        "include/conclude.lua", "new_balance > LIMIT or new_debt > LIMIT", "new_balance > LIMIT"
    ),
    "an event is recorded under R1": Mutant("include/conclude.lua", "fingerprint .. 'R0'", "fingerprint .. 'R1'"),
    "an event is not recorded": Mutant(
        "include/conclude.lua", "redis.call('HSET', events_now_key, digest, record)\n", ""
    ),
    "a new debt is told and not kept": Mutant("include/conclude.lua", "if debt_delta ~= 0 then", "if false then"),
    "an entry follows itself": Mutant("include/conclude.lua", "'b', last_token)", "'b', token)"),
    "the last entry is not remembered": Mutant("include/conclude.lua", "'seq', seq, 'last', token)", "'seq', seq)"),
    "the round is not written": Mutant("include/round.lua", "#written > 0", "#written > 99"),
    # ---------------------------------------------------------------- idle wallets and rounds
    "wallets in use leave": Mutant("evict_idle.lua", "last > integer(idle_seq) or", ""),
    "wallets leave that SQL lacks": Mutant("evict_idle.lua", " or last > integer(committed) then", " then"),
    "suspended wallets leave": Mutant("evict_idle.lua", "not last_seq or suspended", "not last_seq"),
    "any epoch lets wallets go": Mutant("evict_idle.lua", "head_epoch ~= epoch or", ""),
    "any writer lets wallets go": Mutant("evict_idle.lua", " or head_nonce ~= nonce", ""),
    "older snapshots come back": Mutant(
        "evict_idle.lua", "redis.call('HSET', head_key, 'evicted', text_of(last))\n", ""
    ),
    "the mark of what has left falls": Mutant("evict_idle.lua", "last > integer(evicted or '0')", "true"),
    "loads of others are refused": Mutant("evict_idle.lua", "'evicted', text_of(last))", "'evicted', committed)"),
    "idle wallets stay": Mutant("evict_idle.lua", "redis.call('UNLINK', wallet_key)", ""),
    "older snapshots are installed": Mutant("include/vacant.lua", "integer(snapshot_seq) < integer(evicted)", "false"),
    "the last possible snapshot is refused": Mutant(
        "include/vacant.lua", "integer(snapshot_seq) < integer(evicted)", "integer(snapshot_seq) <= integer(evicted)"
    ),
    "any epoch lets rounds go": Mutant("expire_round.lua", "head_epoch ~= epoch or", ""),
    "any writer lets rounds go": Mutant("expire_round.lua", " or head_nonce ~= nonce", ""),
    "each sweep lets rounds stay longer": Mutant("expire_round.lua", "idle_ms, 'NX')", "idle_ms)"),
    "a round that is written to goes": Mutant("include/round.lua", "redis.call('PERSIST', round_key)", ""),
    "only a round that was closed stays": Mutant(
        "include/round.lua", "elseif stored[1] then", "elseif stored[1] and open_bets <= 0 then"
    ),
    "what was looked up counts as open when settled": Mutant("result.lua", "(stored[i + 1] and 1 or 0)", "1"),
    "what was looked up counts as open when cancelled": Mutant("cancel.lua", "(stored[i + 1] and 1 or 0)", "1"),
    # ---------------------------------------------------------------- sessions, back office
    "blocked players log in": Mutant("login.lua", "status ~= 'active'", "false"),
    "a login counts as far ahead as it says": Mutant(
        "login.lua",
        "math.min(integer(timestamp_ms), now + integer(future_max_ms))",
        "integer(timestamp_ms) + 0 * integer(future_max_ms)",
    ),
    "a login far ahead counts as now": Mutant("login.lua", "now + integer(future_max_ms)", "now + 0 * #future_max_ms"),
    "an old login sets the session back": Mutant("login.lua", "math.max(newest, integer(login))", "newest"),
    "a login does not open again": Mutant("login.lua", "'%d %d 0'", "'%d %d ' .. (closed or '0')"),
    "an old logout closes": Mutant("logout.lua", "timestamp <= integer(login)", "false"),
    "a logout of the same time closes": Mutant(
        "logout.lua", "timestamp <= integer(login)", "timestamp < integer(login)"
    ),
    "a logout is repeated": Mutant("logout.lua", "closed ~= '0' or", ""),
    "a logout keeps the session": Mutant("logout.lua", "renewed .. ' ' .. text_of(now)", "renewed .. ' 0'"),
    "one session for all providers": Mutant("include/event.lua", "'s:' .. provider", "'s:games'"),
    "a deposit pays the debt": Mutant(
        "transfer.lua",
        "local is_final, effects, debt_delta, fields = false, '', 0, {}",
        "local paid = direction == 'deposit' and not code and math.min(debt, cash) or 0\n"
        "balance_delta = balance_delta - paid\n"
        "local is_final, effects, debt_delta, fields = false, '', -paid, {}",
    ),
    "debts can be withdrawn": Mutant("transfer.lua", "cash > balance - debt", "cash > balance"),
    "all of the balance cannot be withdrawn": Mutant("transfer.lua", "cash > balance - debt", "cash >= balance - debt"),
    "blocked players withdraw": Mutant("transfer.lua", "status ~= 'active'", "false"),
    "nobody is ever blocked": Mutant("status.lua", "{'status', new_status}", "{'status', 'active'}"),
}
