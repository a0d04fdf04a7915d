-- Sliding windows. A bucket is a list of the moments of its events, the oldest first, and never
-- longer than its limit: so the event that decides stands at its head.

local CHARGE = '>I4I8'

-- The charge on a bucket: how many events in how many milliseconds.
local function quota(charges, index)
  return struct.unpack(CHARGE, charges, (index - 1) * struct.size(CHARGE) + 1)
end

-- How long it takes until one more event fits; 0 if it does now.
local function wait(bucket, max, window)
  local held = redis.call('LLEN', bucket)
  if held < max then
    return 0
  end
  return math.max(redis.call('LINDEX', bucket, held - max) + window - now, 0)
end

-- Of several limits the first with the longest wait, as an index from 0, and that wait.
local function longest_wait(first_key, charges)
  local index, longest = 0, 0
  for key = first_key, #KEYS do
    local max, window = quota(charges, key - first_key + 1)
    local its_wait = wait(KEYS[key], max, window)
    if its_wait > longest then
      index, longest = key - first_key, its_wait
    end
  end
  return index, longest
end

-- Adds an event to each bucket, and returns the moments under which they are kept. They are not
-- `now` after a clock was set back: an event never stands before the one that it follows.
local function take(first_key, charges)
  local taken = {}
  for key = first_key, #KEYS do
    local bucket, max, window = KEYS[key], quota(charges, key - first_key + 1)
    local at = math.max(now, tonumber(redis.call('LINDEX', bucket, -1)) or 0)
    if redis.call('RPUSH', bucket, at) > max then
      redis.call('LTRIM', bucket, -max, -1)
    end
    redis.call('PEXPIRE', bucket, at - now + window + MARGIN)
    taken[#taken + 1] = at
  end
  return taken
end
