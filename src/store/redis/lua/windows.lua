-- Sliding windows. A bucket is a list of the moments of its events, the oldest first, and never
-- longer than its limit: so the event that decides stands at its head.

local CHARGE = '>I4I8'

-- The charge on a bucket: how many events in how many milliseconds.
local function quota(charges, index)
  return struct.unpack(CHARGE, charges, (index - 1) * struct.size(CHARGE) + 1)
end

-- How many charges are told.
local function count_charges(charges)
  return #charges / struct.size(CHARGE)
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
  for charge = 1, count_charges(charges) do
    local its_wait = wait(KEYS[first_key + charge - 1], quota(charges, charge))
    if its_wait > longest then
      index, longest = charge - 1, its_wait
    end
  end
  return index, longest
end

-- Adds an event now, and returns the moment under which it is kept: that of the event before it, if
-- the clock was set back in between, so that the order is kept.
local function add(bucket, max, window)
  local at, held = now, redis.call('RPUSH', bucket, now)
  local before = held > 1 and tonumber(redis.call('LINDEX', bucket, -2))
  if before and before > at then
    at = before
    redis.call('LSET', bucket, -1, at)
  end
  if held > max then
    redis.call('LTRIM', bucket, -max, -1)
  end
  -- A busy bucket is not told with each event how long to live: the first one in each eighth of the
  -- window says it for the whole of that eighth.
  local eighth = window / 8
  if not before or math.floor(before / eighth) ~= math.floor(at / eighth) then
    redis.call('PEXPIRE', bucket, math.ceil(at - now + window + eighth) + MARGIN)
  end
  return at
end

-- Adds an event to each bucket, and returns the moments under which they are kept.
local function take(first_key, charges)
  local moments = {}
  for charge = 1, count_charges(charges) do
    local max, window = quota(charges, charge)
    moments[charge] = add(KEYS[first_key + charge - 1], max, window)
  end
  return moments
end
