-- Meters of another store, each in place of what a copy has kept of it before.
-- KEYS: the meters. ARGV: now, and the numbers of each.

local all = {}
for index, key in ipairs(KEYS) do
  local numbers = ARGV[1 + index]
  local meter = {struct.unpack('>' .. ('d'):rep(#numbers / 8), numbers)}
  -- Behind them it is told where the rest begins.
  meter[#meter] = nil
  all[index] = {key = key, meter = meter}
end
keep_places(all)
return {'put'}
