-- Windows of another store, each in place of what a copy has kept of it before.
-- KEYS: the buckets. ARGV: now, and of each the moment from which none of its events counts, and
-- its events.

-- Values that one command takes at most: Lua hands them over on its stack.
local MOST = 1000

for index, bucket in ipairs(KEYS) do
  read_fields(ARGV[1 + index])
  local dead_at, events = moment(), list(moment)
  redis.call('DEL', bucket)
  if now < dead_at and #events > 0 then
    for first = 1, #events, MOST do
      redis.call('RPUSH', bucket, unpack(events, first, math.min(first + MOST - 1, #events)))
    end
    redis.call('PEXPIRE', bucket, dead_at - now + MARGIN)
  end
end
return {'put'}
