-- Takes back what `owe` has counted. A block that has begun with it stays.
-- KEYS: the meters. ARGV: now, their levels.

local all = places(1, ARGV[2])
for _, place in ipairs(all) do
  place.meter[DEBT] = math.max(place.meter[DEBT] - 1, 0)
  place.meter[SENT] = math.max(place.meter[SENT] - 1, 0)
end
keep_places(all)
return {'disowned'}
