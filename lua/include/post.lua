-- The only code that writes an entry. XADD first: if it is refused (OOM, READONLY, a seq that is not newer), nothing
-- was written. All strings are made before it, as nothing after it may fail.
local pending_max, window_ms = integer(ARGV[7]), integer(ARGV[8])

local function record_event(code, seq)
  redis.call('HSET', KEYS[3], ARGV[3], ARGV[4] .. code .. seq)
  redis.call('PEXPIRE', KEYS[3], text_of(2 * window_ms))
end

-- changes, each of which may be nil: balance and debt (deltas), effects (a letter an item), fields (name, value …: more
-- of the wallet), bets (index, text …) and opened (by how many the open bets of the round grow)
local function post(reason, changes)
  local new_balance = balance + (changes.balance or 0)
  local new_debt = debt + (changes.debt or 0)
  if new_balance < 0 or new_debt < 0 then
    error('a negative balance or debt was decided')
  end
  if new_balance > LIMIT or new_debt > LIMIT then
    return decline('R1', 'overflow')
  end
  local q = integer(head[3])
  if q - integer(head[4]) >= pending_max then
    return answer('BUSY', 'R1', 'backlog', '0')
  end
  local seq = text_of(q + 1)
  local version = text_of(integer(wallet[1]) + 1)
  local balance_text, debt_text = text_of(new_balance), text_of(new_debt)
  local decided = version .. ' ' .. balance_text .. ' ' .. debt_text .. ' ' .. text_of(changes.balance or 0)
    .. ' ' .. text_of(changes.debt or 0) .. ' ' .. (changes.effects or '')
  local fields = {'version', version, 'seq', seq, 'balance', balance_text, 'debt', debt_text}
  for _, part in ipairs(changes.fields or {}) do
    fields[#fields + 1] = part
  end

  redis.call('XADD', KEYS[5], ARGV[1] .. '-' .. seq, 'e', ARGV[5], 'd', decided, 't', ARGV[6])
  redis.call('HSET', KEYS[1], 'seq', seq)
  redis.call('HSET', KEYS[2], unpack(fields))
  record_event('R0', seq)
  if changes.bets and #changes.bets > 0 then
    redis.call('HSET', KEYS[6], unpack(changes.bets))
    if redis.call('HINCRBY', KEYS[6], '', changes.opened) > 0 then
      redis.call('PERSIST', KEYS[6])
    else
      redis.call('PEXPIRE', KEYS[6], text_of(window_ms))
    end
  end
  balance, debt = new_balance, new_debt
  return answer('DONE', 'R0', reason, seq)
end
