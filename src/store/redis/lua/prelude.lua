-- In front of every script: what time it is, and how a record is read and kept.
--
-- A script reads and decides first and writes last. Redis may refuse its first write (a replica, a
-- full memory, a broken disk) and then nothing has happened; after the first one it refuses none.

-- How much longer than it means something a key is kept. A record is judged by the times inside.
local MARGIN = 60000

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local function read(key)
  local record = redis.call('GET', key)
  return record and cmsgpack.unpack(record)
end

local function keep(key, record, dead_at)
  local ttl = math.max(dead_at - now, 0) + MARGIN
  redis.call('SET', key, cmsgpack.pack(record), 'PX', ttl)
end
