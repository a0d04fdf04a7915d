-- What is due in some groups, the oldest first, and what is dead there, which is forgotten. See
-- `Store::due`.
-- KEYS: of each group its rows and its queue. ARGV: now, how many of each group.
-- Answers with how many are to be looked at, now or later, and of each group challenges, moments and
-- rows.

local most = struct.unpack('>I4', ARGV[2])

local function forget(rows, queue, ids)
  for _, id in ipairs(ids) do
    redis.call('ZREM', queue, id)
    redis.call('HDEL', rows, id)
  end
end

local pending, groups = 0, {}
for key = 1, #KEYS, 2 do
  local rows, queue = KEYS[key], KEYS[key + 1]
  if redis.call('EXISTS', queue) == 1 then
    local score = string.format('%d', now)
    forget(rows, queue, redis.call('ZRANGEBYSCORE', queue, '-' .. score, '(0', 'LIMIT', 0, most))
    local due = redis.call('ZRANGEBYSCORE', queue, '(0', score, 'WITHSCORES', 'LIMIT', 0, most)
    local found, dead = {}, {}
    for at = 1, #due, 2 do
      local row = redis.call('HGET', rows, due[at])
      if row and now < row_dead_at(row) then
        found[#found + 1] = due[at]
        found[#found + 1] = tonumber(due[at + 1])
        found[#found + 1] = row
      else
        dead[#dead + 1] = due[at]
      end
    end
    forget(rows, queue, dead)
    pending = pending + redis.call('ZCOUNT', queue, '(0', '+inf')
    if #found > 0 then
      groups[#groups + 1] = found
    end
  end
end
return {'due', pending, groups}
