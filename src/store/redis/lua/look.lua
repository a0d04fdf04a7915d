-- Whether buckets admit one more event; takes nothing. The first half of a send in a cluster.
-- KEYS: the buckets. ARGV: now, the charges.

local index, longest = longest_wait(1, ARGV[2])
if longest > 0 then
  return {'limited', index, longest}
end
return {'open'}
