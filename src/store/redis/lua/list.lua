-- The living sessions of an account. See `Store::sessions`.
-- KEYS: the account's sessions. ARGV: now, the policy.

local idle, absolute = struct.unpack('>I8I8', ARGV[2])

local listed = {'sessions'}
for _, session in ipairs(living(read(KEYS[1]) or {}, idle, absolute)) do
  for _, field in ipairs({SESSION_ID, OPENED_AT, LAST_SEEN_AT, DEVICE_INFO, IP}) do
    listed[#listed + 1] = session[field]
  end
end
return listed
