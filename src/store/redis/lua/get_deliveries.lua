-- The messages of a group, for a copy: what time it is, and each challenge and row.
-- KEYS: the rows of the group. ARGV: now.

return {'deliveries', now, redis.call('HGETALL', KEYS[1])}
