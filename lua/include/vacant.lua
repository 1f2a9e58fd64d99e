-- vacant: installing is only for a wallet that is not there, in the epoch that the snapshot was taken in, from a
-- snapshot that is no older than the last wallet that had to go.
--
-- NEEDS    head_key wallet_key epoch period snapshot_seq integer text_of
-- RETURNS  FENCED epoch period | EXISTS | FROZEN | SUSPENDED | OUTDATED seq
-- @include fence
local evicted = redis.call('HGET', head_key, 'evicted')
if evicted and integer(snapshot_seq) < integer(evicted) then
  return {'OUTDATED', text_of(integer(evicted))}
end
local frozen = redis.call('HGET', wallet_key, 'frozen')
if frozen == '1' then
  return {'FROZEN'}
elseif frozen then
  return {'SUSPENDED'}
elseif redis.call('EXISTS', wallet_key) == 1 then
  return {'EXISTS'}
end
