-- What places owe, for a copy and for a send in a cluster: what time it is, and each meter as eight-byte
-- numbers, as many as it has, or nothing where nothing is owed.
-- KEYS: the meters. ARGV: now.

local found = {'meters', now}
for _, key in ipairs(KEYS) do
  local meter = read(key)
  found[#found + 1] = meter and struct.pack('>' .. ('d'):rep(#meter), unpack(meter)) or ''
end
return found
