-- vacant: installing is only for a wallet that is not there, in the epoch that the snapshot was taken in.
--
-- NEEDS    head_key wallet_key epoch period
-- RETURNS  FENCED epoch period | EXISTS
-- @include fence
if redis.call('EXISTS', wallet_key) == 1 then
  return {'EXISTS'}
end
