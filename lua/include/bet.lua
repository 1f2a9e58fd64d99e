-- bet: the bet of item i, nil if there is none, its state (O open, C cancelled, T tombstone, S settled) and its stake.
--
-- Redis knows it, or else the item says what SQL knows: '' if it was not asked, '-' if it knows none. SQL must be asked
-- (again) if nobody has asked for a bet that may be there, or if the answer is older than the wallet's last entry.
-- Within the loop over a batch.
--
-- NEEDS    i stored items_at width is_old_possible snapshot_seq last_seq integer
-- GIVES    bet state stake
-- RETURNS  COLD seq
local bet, state, stake = stored[i + 1], nil, nil
if not bet then
  bet = ARGV[items_at + i * width - 1]
  if bet == '' and is_old_possible or bet ~= '' and integer(last_seq) > integer(snapshot_seq) then
    return {'COLD', last_seq}
  end
  bet = bet ~= '' and bet ~= '-' and bet or nil
end
if bet then
  state, stake = string.match(bet, '^(%u) (%S+)')
  stake = integer(stake)
end
