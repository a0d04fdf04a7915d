-- What places owe on whose credit messages are sent; `domain::fraud` says what it means.
--
-- A meter is a list of DEBT .. TOUCHED_AT, and its trail. Every sum is computed here as it is there, in the same
-- order and with the same kind of number, so that both come to the same to the last bit.

local DEBT, SENT, VERIFIED, RECENT, STRIKES, BLOCKED_UNTIL, TOUCHED_AT = 1, 2, 3, 4, 5, 6, 7

local RANGE, BLOCK, COUNTRY, NETWORK = 0, 1, 2, 3
local TERMS = {
  [RANGE] = {floor = 5, of_daily = 0.2, blocked_beyond = 2.5, trusted_after = math.huge},
  [BLOCK] = {floor = 6, of_daily = 0.03, blocked_beyond = 4, trusted_after = 10},
  [COUNTRY] = {floor = 20, of_daily = 0.02, blocked_beyond = 8, trusted_after = math.huge},
  [NETWORK] = {floor = 5, of_daily = 0.2, blocked_beyond = 4, trusted_after = 0.4},
}
local FORGIVEN_BY = {[RANGE] = {}, [BLOCK] = {NETWORK}, [COUNTRY] = {NETWORK, BLOCK}, [NETWORK] = {}}

-- Spans of time are in seconds, moments in milliseconds.
local MEMORY, PRESENT, FORGIVING = 7 * 24 * 3600, 3600, 24 * 3600
local FIRST_BLOCK, LONGEST_BLOCK = 15 * 60, 12 * 3600
local UNDER_WAY, LEFT_AFTER_BLOCK, TRUSTED_SHARE = 0.1, 0.75, 0.5
local PRIOR, PRIOR_WEIGHT, WORST, BEST, TOLERANCE = 0.6, 10, 0.4, 0.9, 0.8
local EASIEST, HARDEST, BITS_PER_ALLOWANCE = 16, 22, 4
local ROW, FOR_A_STEP, STAYS = 3, 0.4, 0.25

-- How bad a suspicion is.
local NONE, PROOF, BLOCKED = 0, 1, 2

-- What speaks against a place.
local OWED, SEQUENCE = 0, 1

-- How a place is told: of what kind it is, and which of its numbers is sent to.
local PLACE = '>BI2'

-- Whatever could be asked for was shown.
local EVERYTHING = 255

-- Stands in the byte of a level.
local PARDONED = 128

local function allowance(level, meter)
  local terms = TERMS[level]
  local daily = meter[VERIFIED] * (FORGIVING / MEMORY)
  return math.max(terms.floor, terms.of_daily * daily, UNDER_WAY * meter[RECENT])
end

local function pass_time(level, meter)
  local millis = math.max(now - meter[TOUCHED_AT], 0)
  local passed = math.floor(millis / 1000) + (millis % 1000) * 1e6 / 1e9
  local function left(span)
    return math.max(1 - passed / span, 0)
  end
  local forgiven = allowance(level, meter) * (passed / FORGIVING)
  meter[DEBT] = math.max(meter[DEBT] - forgiven, 0)
  meter[SENT] = meter[SENT] * left(MEMORY)
  meter[VERIFIED] = meter[VERIFIED] * left(MEMORY)
  meter[RECENT] = meter[RECENT] * left(PRESENT)
  meter[STRIKES] = math.max(meter[STRIKES] - passed / FORGIVING, 0)
  meter[TOUCHED_AT] = math.max(meter[TOUCHED_AT], now)
  fade_trail(meter, MEMORY)
end

local function surcharge(its, meter, tail)
  local steps = tail == NO_TAIL and 0 or row(meter, tail)
  return steps < ROW and 0 or its * (FOR_A_STEP * steps)
end

-- What a place deserves: how bad it is, the bits to be proved or the end of the block, and by which
-- rule.
local function suspicion(place)
  local meter = place.meter
  if now < meter[BLOCKED_UNTIL] then
    return BLOCKED, meter[BLOCKED_UNTIL], OWED
  end
  local its = allowance(place.level, meter)
  local owed = meter[DEBT] + surcharge(its, meter, place.tail)
  if owed <= its then
    return NONE, 0, OWED
  end
  local beyond = owed / its - 1
  local bits = EASIEST + math.floor(math.min(beyond * BITS_PER_ALLOWANCE, HARDEST - EASIEST))
  return PROOF, bits, meter[DEBT] > its and OWED or SEQUENCE
end

-- Half goes up, as in Rust.
local function round(number)
  local whole = math.floor(number)
  return number - whole >= 0.5 and whole + 1 or whole
end

local function owe(place)
  local level, meter = place.level, place.meter
  local its = allowance(level, meter)
  local beyond = surcharge(its, meter, place.tail)
  local is_blocked = now < meter[BLOCKED_UNTIL]
  if meter[DEBT] < its and not is_blocked then
    meter[SENT] = meter[SENT] + 1
  end
  meter[DEBT] = meter[DEBT] + (1 + STAYS * beyond)
  if place.tail ~= NO_TAIL then
    tread(meter, place.tail)
  end
  local limit = its * TERMS[level].blocked_beyond
  if meter[DEBT] > limit and not is_blocked then
    local secs = math.min(FIRST_BLOCK * 2 ^ round(meter[STRIKES]), LONGEST_BLOCK)
    meter[BLOCKED_UNTIL] = now + secs * 1000
    meter[STRIKES] = meter[STRIKES] + 1
    meter[DEBT] = LEFT_AFTER_BLOCK * limit
  end
end

-- The number leaves the trail first, so that the same row is found as before it came.
local function disown(place)
  local meter, tail = place.meter, place.tail
  keep_trail(meter, function(other)
    return other ~= tail
  end)
  local beyond = surcharge(allowance(place.level, meter), meter, tail)
  meter[DEBT] = math.max(meter[DEBT] - (1 + STAYS * beyond), 0)
  meter[SENT] = math.max(meter[SENT] - 1, 0)
end

local function pay(place)
  local meter = place.meter
  local conversion = (meter[VERIFIED] + PRIOR * PRIOR_WEIGHT) / (meter[SENT] + PRIOR_WEIGHT)
  local worth = 1 / (TOLERANCE * math.min(math.max(conversion, WORST), BEST))
  meter[DEBT] = math.max(meter[DEBT] - worth, 0)
  meter[VERIFIED] = meter[VERIFIED] + 1
  meter[RECENT] = meter[RECENT] + 1
  if place.tail ~= NO_TAIL then
    clear_trail(meter, place.tail)
  end
end

local function is_trusted(level, meter)
  return meter[VERIFIED] >= TERMS[level].trusted_after
    and meter[VERIFIED] >= TRUSTED_SHARE * meter[SENT]
    and meter[DEBT] <= allowance(level, meter)
end

-- The places of a message, brought up to date. `told` says of each of the keys that begin with the
-- `first` one what is there, and whether a place on another server has a good name that makes up
-- for it.
local function places(first, told)
  local found = {}
  for index = 1, #told / struct.size(PLACE) do
    local key = KEYS[first + index - 1]
    local byte, tail = struct.unpack(PLACE, told, (index - 1) * struct.size(PLACE) + 1)
    local place = {
      key = key,
      level = byte % PARDONED,
      tail = tail,
      is_pardoned = byte >= PARDONED,
      meter = read(key) or {0, 0, 0, 0, 0, 0, 0},
    }
    pass_time(place.level, place.meter)
    found[index] = place
  end
  return found
end

local function is_forgiven(place, all)
  for _, level in ipairs(FORGIVEN_BY[place.level]) do
    for _, other in ipairs(all) do
      if other.level == level and is_trusted(level, other.meter) then
        return true
      end
    end
  end
  return place.is_pardoned
end

-- The worst suspicion that a place raises, of several the last one: how bad, the bits or the
-- moment, the level, the rule.
local function alarm(all)
  local worst, worth, level, rule = NONE, 0, 0, OWED
  for _, place in ipairs(all) do
    if not is_forgiven(place, all) then
      local bad, value, why = suspicion(place)
      if bad > worst or (bad == worst and value >= worth) then
        worst, worth, level, rule = bad, value, place.level, why
      end
    end
  end
  return worst, worth, level, rule
end

local function is_answered(shown, worst, worth)
  return shown == EVERYTHING or worst == NONE or (worst == PROOF and shown >= worth)
end

local function owe_all(all)
  for _, place in ipairs(all) do
    owe(place)
  end
end

local function pay_all(all)
  for _, place in ipairs(all) do
    pay(place)
  end
end

local function keep_places(all)
  for _, place in ipairs(all) do
    local dead_at = math.max(place.meter[TOUCHED_AT] + MEMORY * 1000, place.meter[BLOCKED_UNTIL])
    keep(place.key, place.meter, dead_at)
  end
end
