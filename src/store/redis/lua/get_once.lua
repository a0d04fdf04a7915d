-- Requests, for a copy: what time it is, and what is kept of each, or nothing.
-- KEYS: the names. ARGV: now.

local found = {'once', now}
for _, key in ipairs(KEYS) do
  found[#found + 1] = redis.call('GET', key) or ''
end
return found
