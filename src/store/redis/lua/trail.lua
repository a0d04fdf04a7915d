-- Whether somebody counts through the numbers of a range; `domain::fraud` says what it means.
--
-- A trail stands in a meter behind its counts: the last four digits of a number that was sent to
-- and not verified, and when, again and again, the latest one last.

local TRAIL, LENGTH, STEP, HOME, REACH = 8, 8, 10, 100, 1000

-- Stands for no number.
local NO_TAIL = 65535

-- Keeps what `stays` says of a tail and its moment.
local function keep_trail(meter, stays)
  local to = TRAIL
  for from = TRAIL, #meter, 2 do
    local tail, at = meter[from], meter[from + 1]
    if stays(tail, at) then
      meter[to], meter[to + 1] = tail, at
      to = to + 2
    end
  end
  for at = #meter, to, -1 do
    meter[at] = nil
  end
end

-- How many numbers the longest row has that `tail` belongs to, itself not counted.
local function row(meter, tail)
  local others = {}
  for at = TRAIL, #meter, 2 do
    if meter[at] ~= tail then
      others[#others + 1] = meter[at]
    end
  end
  table.sort(others)
  local longest, first = 0, 1
  for last = 1, #others do
    if last == #others or others[last + 1] - others[last] > STEP then
      if others[first] - REACH <= tail and tail <= others[last] + REACH then
        longest = math.max(longest, last - first + 1)
      end
      first = last + 1
    end
  end
  return longest
end

local function tread(meter, tail)
  keep_trail(meter, function(other)
    return other ~= tail
  end)
  if #meter - TRAIL + 1 == 2 * LENGTH then
    table.remove(meter, TRAIL)
    table.remove(meter, TRAIL)
  end
  meter[#meter + 1] = tail
  meter[#meter + 1] = now
end

local function clear_trail(meter, tail)
  keep_trail(meter, function(other)
    return math.abs(other - tail) > HOME
  end)
end

-- `memory` is in seconds.
local function fade_trail(meter, memory)
  keep_trail(meter, function(_, at)
    return at + memory * 1000 > now
  end)
end
