-- Takes back what `owe` has counted. A block that has begun with it stays.
-- KEYS: the meters. ARGV: now, what they are.

local all = places(1, ARGV[2])
for _, place in ipairs(all) do
  disown(place)
end
keep_places(all)
return {'disowned'}
