-- The revoked sessions of a group, for a copy: each id, and until when.
-- KEYS: the revoked ones of the group. ARGV: now.

local found = {'revoked'}
local revoked = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%d', now), '+inf', 'WITHSCORES')
for at = 1, #revoked, 2 do
  found[#found + 1] = revoked[at]
  found[#found + 1] = tonumber(revoked[at + 1])
end
return found
