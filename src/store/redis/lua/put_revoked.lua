-- Sessions that were ended in another store.
-- KEYS: the revoked ones of the group. ARGV: now, and of each session its id and until when.

local function ended()
  return {field('c16'), moment()}
end

local latest = now
read_fields(ARGV[2])
for _, one in ipairs(list(ended)) do
  local id, until_then = one[1], one[2]
  if now < until_then then
    redis.call('ZADD', KEYS[1], until_then, id)
    latest = math.max(latest, until_then)
  end
end
if latest > now and redis.call('PTTL', KEYS[1]) < latest - now + MARGIN then
  redis.call('PEXPIRE', KEYS[1], latest - now + MARGIN)
end
return {'put'}
