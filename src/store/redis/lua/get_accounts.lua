-- What is alive of accounts, for a copy.
-- KEYS: of each its code and its sessions. ARGV: now.

local function none()
  return false
end

local found = {'accounts'}
for key = 1, #KEYS, 2 do
  local sessions = part(read(KEYS[key + 1]) or {}, none)
  found[#found + 1] = {read_code(KEYS[key]) or {}, sessions}
end
return found
