-- take_over: a writer's nonce into the head of a shard that another one has left, in the same epoch.
--
-- KEYS     head
-- ARGV     epoch nonce nonce_before
-- RETURNS  OK | FENCED epoch nonce
-- WRITES   head
-- EXAMPLE  head of epoch 3 and nonce a1, nonce_before a1, nonce b2 → OK, head nonce = b2
local head_key = unpack(KEYS)
local epoch, nonce, nonce_before = unpack(ARGV, 1, 3)

local head = redis.call('HMGET', head_key, 'epoch', 'nonce')
if head[1] ~= epoch or (head[2] or '') ~= nonce_before then
  return {'FENCED', head[1] or '', head[2] or ''}
end
-- It must be possible on a full server, too, as confirming is what frees memory. A head never expires, so this changes
-- nothing; but it is a write that needs no memory, and a full server does not refuse what follows a write.
redis.call('PERSIST', head_key)
redis.call('HSET', head_key, 'nonce', nonce)
return {'OK'}
