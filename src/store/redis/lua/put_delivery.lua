-- A message takes a turn, unless it has taken another one since it was read. See `Store::deliver`.
-- KEYS: the rows of the group, its queue. ARGV: now, the challenge, the row that was read, the one
-- to be kept, when that is due or 0.

local id, before, after = ARGV[2], ARGV[3], ARGV[4]

if redis.call('HGET', KEYS[1], id) ~= before then
  return {'late'}
end
-- Redis may be full: what follows a first write that is allowed there, and here changes nothing, is not refused.
redis.call('ZREM', KEYS[2], '')
keep_row(KEYS[1], KEYS[2], id, after, (struct.unpack('>I8', ARGV[5])))
return {'kept'}
