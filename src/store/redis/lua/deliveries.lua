-- Messages on their way; `domain::delivery` says what becomes of one, and scripts only keep it.
--
-- A group has a hash of rows, by challenge, and a queue: a sorted set that has a score for each row.
-- A positive one is the moment at which somebody is to look at it, a negative one that of its death.
-- A row is a HEAD and what `verbs/row.rs` puts behind it.

-- Whether its code was answered, the moment in its state or 0, when its code dies and when it was
-- asked for, what its code is derived from and with which secret.
local HEAD = '>BI8I8I8c16c4'

-- How long after the death of a code it is still heard what became of its message.
local AFTERMATH = 15 * 60 * 1000

local function row_dead_at(row)
  local _, _, expires_at = struct.unpack('>BI8I8', row)
  return expires_at + AFTERMATH
end

-- Keeps a row, which is to be looked at when it is `due`, if that is not 0. Both keys are told to live for
-- longer than they must, so that they need not be told each time.
local function keep_row(rows, queue, id, row, due)
  local dead_at = row_dead_at(row)
  redis.call('HSET', rows, id, row)
  redis.call('ZADD', queue, due > 0 and due or -dead_at, id)
  local ttl = math.max(dead_at - now, 0) + MARGIN
  if redis.call('PTTL', rows) < ttl then
    redis.call('PEXPIRE', rows, ttl + AFTERMATH)
    redis.call('PEXPIRE', queue, ttl + AFTERMATH)
  end
end

-- Somebody knows the code of this challenge, so that nobody is to look at its message any more.
local function answered(rows, queue, id)
  local row = redis.call('HGET', rows, id)
  if row then
    redis.call('HSET', rows, id, struct.pack('B', 1) .. row:sub(2))
    redis.call('ZADD', queue, -row_dead_at(row), id)
  end
end
