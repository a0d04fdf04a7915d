-- Requests that have led to a message, by the names that callers gave them.

-- What was asked for, and what was answered: the challenge, what its code is derived from and with
-- which secret, when that dies and when it was sent.
local ONCE = '>c8c16c16c4I8I8'

-- What came of an earlier request under this name; nothing if there was none.
local function earlier(key, request)
  local kept = redis.call('GET', key)
  if not kept then
    return nil
  end
  local its_request, id, nonce, secret, expires_at, sent_at = struct.unpack(ONCE, kept)
  if now >= expires_at then
    return nil
  elseif its_request ~= request then
    return {'reused'}
  end
  return {'repeated', id, nonce, secret, expires_at, sent_at}
end

local function remember(key, kept, expires_at)
  redis.call('SET', key, kept, 'PX', expires_at - now + MARGIN)
end
