-- Purses, for a copy: what time it is, and each as eight-byte numbers, or nothing where nothing was spent.
-- KEYS: the purses. ARGV: now.

local found = {'purses', now}
for _, key in ipairs(KEYS) do
  local purse = read(key)
  found[#found + 1] = purse and struct.pack('>' .. ('I8'):rep(#purse), unpack(purse)) or ''
end
return found
