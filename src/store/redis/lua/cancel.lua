-- Gives back what `reserve` took.
-- KEYS: the buckets. ARGV: now, and the moment taken from each of them.

for index, bucket in ipairs(KEYS) do
  redis.call('LREM', bucket, -1, ARGV[1 + index])
end
return {'cancelled'}
