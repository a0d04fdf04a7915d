-- Purses of another store, each in place of what a copy has kept of it before.
-- KEYS: the purses. ARGV: now, and the numbers of each, the first of which says until when it counts.

for index, key in ipairs(KEYS) do
  local numbers = ARGV[1 + index]
  local purse = {struct.unpack('>' .. ('I8'):rep(#numbers / 8), numbers)}
  -- Behind them it is told where the rest begins.
  purse[#purse] = nil
  keep(key, purse, purse[1])
end
return {'put'}
