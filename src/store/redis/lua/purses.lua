-- What was spent of budgets; `domain::budget` says what it means.
--
-- A purse is a list: until when anything of it counts, when it was last told that most of it is
-- spent, and then of each slot of time its number and what was spent in it, the oldest one first.

local SPENT_UNTIL, WARNED_AT, FIRST_SLOT, SLOTS = 1, 2, 3, 24

-- What a message costs a purse: how much it holds, for how many milliseconds, and the price.
local EXPENSE = '>I8I8I8'

-- From when on what was spent in a slot is free again.
local function free_again(purse, number)
  return (number + 1) * purse.slot + purse.window
end

-- The purses a message is paid from, whose keys begin with the `first` one, without what is free again.
local function purses(first, told)
  local found = {}
  for index = 1, #told / struct.size(EXPENSE) do
    local max, window, price = struct.unpack(EXPENSE, told, (index - 1) * struct.size(EXPENSE) + 1)
    local key = KEYS[first + index - 1]
    local kept = read(key) or {0, 0}
    local purse = {key = key, max = max, window = window, price = price, spent = 0}
    purse.slot = math.max(math.ceil(window / SLOTS), 1)
    purse.kept = {kept[SPENT_UNTIL], kept[WARNED_AT]}
    for at = FIRST_SLOT, #kept, 2 do
      local number, spent = kept[at], kept[at + 1]
      if free_again(purse, number) > now then
        purse.kept[#purse.kept + 1] = number
        purse.kept[#purse.kept + 1] = spent
        purse.spent = purse.spent + spent
      end
    end
    found[index] = purse
  end
  return found
end

-- How long it takes until a message can be paid for; 0 if it can now.
local function want(purse)
  local spent = purse.spent
  if spent + purse.price <= purse.max then
    return 0
  end
  for at = FIRST_SLOT, #purse.kept, 2 do
    spent = spent - purse.kept[at + 1]
    if spent + purse.price <= purse.max then
      return free_again(purse, purse.kept[at]) - now
    end
  end
  -- One message costs more than all there is.
  return purse.window
end

-- Of several purses the first with the longest wait, as an index from 0, and that wait.
local function longest_want(all)
  local index, longest = 0, 0
  for at, purse in ipairs(all) do
    local its_want = want(purse)
    if its_want > longest then
      index, longest = at - 1, its_want
    end
  end
  return index, longest
end

local function keep_purse(purse)
  keep(purse.key, purse.kept, purse.kept[SPENT_UNTIL])
end

local function is_most(spent, max)
  return spent * 5 >= max * 4
end

-- Pays from all, and returns the numbers of the slots in which that is written down, and which purses
-- have little left, as indices from 0.
local function spend_all(all)
  local slots, scarce = {}, {}
  for at, purse in ipairs(all) do
    local kept, number = purse.kept, math.floor(now / purse.slot)
    local last = #kept - 1
    if last >= FIRST_SLOT and kept[last] >= number then
      number = kept[last]
      kept[last + 1] = kept[last + 1] + purse.price
    else
      kept[#kept + 1] = number
      kept[#kept + 1] = purse.price
    end
    kept[SPENT_UNTIL] = free_again(purse, number)
    local is_told = kept[WARNED_AT] + purse.window > now and kept[WARNED_AT] <= now
    if not is_told and is_most(purse.spent + purse.price, purse.max) then
      kept[WARNED_AT] = now
      scarce[#scarce + 1] = at - 1
    end
    keep_purse(purse)
    slots[at] = number
  end
  return slots, scarce
end

-- Takes back what `spend_all` has written down in these slots.
local function refund_all(all, slots)
  for index, purse in ipairs(all) do
    local kept, number = purse.kept, struct.unpack('>I8', slots, (index - 1) * 8 + 1)
    for at = FIRST_SLOT, #kept, 2 do
      if kept[at] == number then
        kept[at + 1] = math.max(kept[at + 1] - purse.price, 0)
        if not is_most(purse.spent - purse.price, purse.max) then
          kept[WARNED_AT] = 0
        end
      end
    end
    keep_purse(purse)
  end
end
