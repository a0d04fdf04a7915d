-- Requests of another store, each in place of what a copy has kept of it before.
-- KEYS: the names. ARGV: now, and what is kept of each.

for index, key in ipairs(KEYS) do
  local kept = ARGV[1 + index]
  local _, _, _, _, expires_at = struct.unpack(ONCE, kept)
  if now < expires_at then
    remember(key, kept, expires_at)
  end
end
return {'put'}
