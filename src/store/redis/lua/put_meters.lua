-- Meters of another store, each in place of what a copy has kept of it before.
-- KEYS: the meters. ARGV: now, and the seven numbers of each.

local all = {}
for index, key in ipairs(KEYS) do
  local debt, sent, verified, recent, strikes, blocked_until, touched_at =
    struct.unpack('>ddddddd', ARGV[1 + index])
  local meter = {debt, sent, verified, recent, strikes, blocked_until, touched_at}
  all[index] = {key = key, meter = meter}
end
keep_places(all)
return {'put'}
