-- Whose keys these are: writes it where nothing stands yet, and answers with what stands there.
-- Since it writes and publishes, an answer shows that this Redis does both.
-- KEYS: the name plate. ARGV: now, the form of the records, the secret that all names follow from,
-- the channel.

local form, secret = unpack(redis.call('HMGET', KEYS[1], 'form', 'secret'))
form, secret = form or ARGV[2], secret or ARGV[3]
redis.call('HSET', KEYS[1], 'form', form, 'secret', secret)
redis.call('PUBLISH', ARGV[4], '')
return {'ready', form, secret}
