-- Bets and their text, as in service/seamless_wallet/ledger/bets.py. An item of ARGV ends with `cold`: what SQL says of the bet,
-- '' if it was not asked, '-' if it knows none.
local function parse_bet(text)
  local words = {}
  for word in string.gmatch(text, '%S+') do
    words[#words + 1] = word
  end
  local bet = {state = words[1], stake = integer(words[2])}
  if bet.state == 'S' then
    bet.winloss, bet.first, bet.changes = integer(words[3]), integer(words[4]), {}
    for at = 5, #words do
      local before, after, timestamp = string.match(words[at], '^(%-?%d+):(%-?%d+):(%d+)$')
      bet.changes[at - 4] = {before = integer(before), after = integer(after), timestamp = integer(timestamp)}
    end
  end
  return bet
end

-- The items with their bets: Redis first, then what SQL said. The second result is true if SQL must be asked (again):
-- nobody has asked for a bet that may be there, or the answer is older than the wallet's last entry.
local function read_items(first, width, may_be_old)
  local items, indexes, must_ask = {}, {}, false
  for at = first, #ARGV, width do
    indexes[#indexes + 1] = ARGV[at]
  end
  local stored = redis.call('HMGET', KEYS[6], unpack(indexes))
  for i, index in ipairs(indexes) do
    local at = first + (i - 1) * width
    local cold = ARGV[at + width - 1]
    local item = {index = index, amount = integer(ARGV[at + 1]), at = at}
    if stored[i] then
      item.bet, item.text, item.here = parse_bet(stored[i]), stored[i], true
    elseif cold == '' then
      must_ask = must_ask or may_be_old
    else
      must_ask = must_ask or integer(last_seq) > integer(ARGV[13])
      if cold ~= '-' then
        item.bet, item.text = parse_bet(cold), cold
      end
    end
    items[i] = item
  end
  return items, must_ask
end

-- What a batch will write: `put` one bet, then hand `bets`, `opened` and `effects` to post.
local batch = {bets = {}, opened = 0, letters = {}, moved = 0, given = 0, taken = 0, overflow = false}

local function put(item, letter, text, delta)
  local counted = item.here and item.bet.state == 'O' and 1 or 0
  batch.opened = batch.opened + (string.sub(text, 1, 1) == 'O' and 1 or 0) - counted
  batch.bets[#batch.bets + 1] = item.index
  batch.bets[#batch.bets + 1] = text
  batch.letters[#batch.letters + 1] = letter
  batch.moved = batch.moved + delta
  -- Each sign by itself: netted as it comes, the order of the items would decide.
  batch.given, batch.taken = batch.given + math.max(delta, 0), batch.taken - math.min(delta, 0)
  batch.overflow = batch.given > LIMIT or batch.taken > LIMIT
end

local function keep()
  batch.letters[#batch.letters + 1] = '-'
end

local function post_batch(reason, balance_delta, debt_delta, fields)
  return post(#batch.bets > 0 and reason or 'repeated', {
    balance = balance_delta,
    debt = debt_delta,
    effects = table.concat(batch.letters),
    fields = fields,
    bets = batch.bets,
    opened = batch.opened,
  })
end
