-- Puts up the name plate of a store that is being copied here, unless a store is here already.
-- KEYS: the name plate. ARGV: now, the form of complete records and of unfinished stores, the
-- secret that all names follow from, the copy.

local complete, unfinished, secret, copy = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local form, its_secret, its_copy, bookmark =
  unpack(redis.call('HMGET', KEYS[1], 'form', 'secret', 'copy', 'bookmark'))

if not form then
  redis.call('HSET', KEYS[1], 'form', unfinished, 'secret', secret, 'copy', copy)
  return {'begun'}
end
local is_this_one = its_secret == secret and its_copy == copy
if form == complete and is_this_one then
  return {'complete'}
elseif form ~= unfinished or its_secret ~= secret then
  return {'taken', form, its_secret or ''}
elseif is_this_one and bookmark then
  return {'until', bookmark}
end
return {'outdated'}
