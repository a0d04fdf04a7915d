-- Takes back what `owe` has counted. A block that has begun with it stays.
-- KEYS: the meters, the purses. ARGV: now, what the places are, the expenses, where they were written down.

local all = places(1, ARGV[2])
local purses = purses(1 + #all, ARGV[3])
for _, place in ipairs(all) do
  disown(place)
end
keep_places(all)
refund_all(purses, ARGV[4])
return {'disowned'}
