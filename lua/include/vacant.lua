-- Installing is only for a wallet that is not there, in the epoch that the snapshot was taken in.
-- @include fence
if redis.call('EXISTS', KEYS[2]) == 1 then
  return {'EXISTS'}
end
