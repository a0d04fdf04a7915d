-- The last message of a challenge, if any is kept. See `Store::delivery`.
-- KEYS: the rows of the group. ARGV: now, the challenge.

return {'delivery', now, redis.call('HGET', KEYS[1], ARGV[2]) or ''}
