-- bets: the bets that the items of a batch name, as Redis knows them, and room for what the batch will write.
--
-- An item is `width` arguments, from ARGV[items_at] on: its bet_index first, its amount second, and last what SQL says
-- of the bet. The text of a bet is that of seamless_wallet/ledger/bets.py.
--
-- NEEDS    round_key items_at width integer
-- GIVES    item_count indexes stored open_bets written effects opened
local item_count, indexes = (#ARGV + 1 - items_at) / width, {}
for i = 1, item_count do
  indexes[i] = ARGV[items_at + (i - 1) * width]
end
local stored = redis.call('HMGET', round_key, '', unpack(indexes)) -- the field '' counts the open bets
local open_bets = stored[1] and integer(stored[1]) or 0

-- The bets that will be written, as index, text …; the effects, a letter an item (+ it has one, - it had it already,
-- t it leaves a tombstone); by how much the open bets grow.
local written, effects, opened = {}, '', 0
