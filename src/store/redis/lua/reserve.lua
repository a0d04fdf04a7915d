-- Takes one event from each bucket or from none, ahead of a send in a cluster.
-- KEYS: the buckets. ARGV: now, the charges.
-- Answers with the moments to give back if the send comes to nothing.

local index, longest = longest_wait(1, ARGV[2])
if longest > 0 then
  return {'limited', index, longest}
end
return {'reserved', take(1, ARGV[2])}
