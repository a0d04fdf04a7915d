-- The sessions of one account, in the order in which they were opened; `domain::session` and
-- `domain::account` say what they mean.
--
-- A session is a list of SESSION_ID .. REPLACED. REPLACED holds generations that were replaced,
-- each followed by the moment it was.

local SESSION_ID, OPENED_AT, LAST_SEEN_AT, ENDS_AT = 1, 2, 3, 4
local DEVICE_INFO, IP, GENERATION, REPLACED = 5, 6, 7, 8

local function ends_at(session, idle, absolute)
  return math.min(session[LAST_SEEN_AT] + idle, session[OPENED_AT] + absolute)
end

-- Whether it has not ended, by the policy it was written under and by this one.
local function is_alive(session, idle, absolute)
  return now < math.min(session[ENDS_AT], ends_at(session, idle, absolute))
end

-- Not by `<`: it follows the collation of the server's locale and not the bytes.
local function precedes(id, other)
  for at = 1, #id do
    local mine, theirs = id:byte(at), other:byte(at)
    if mine ~= theirs then
      return mine < theirs
    end
  end
  return false
end

-- The living ones, the one seen last first.
local function living(sessions, idle, absolute)
  local alive = {}
  for _, session in ipairs(sessions) do
    if is_alive(session, idle, absolute) then
      alive[#alive + 1] = session
    end
  end
  table.sort(alive, function(one, other)
    if one[LAST_SEEN_AT] ~= other[LAST_SEEN_AT] then
      return one[LAST_SEEN_AT] > other[LAST_SEEN_AT]
    end
    return precedes(one[SESSION_ID], other[SESSION_ID])
  end)
  return alive
end

-- Parts the sessions into those that stay and the ids of those that are ended now. What has died
-- by itself is neither.
local function part(sessions, is_ended)
  local stay, ended = {}, {}
  for _, session in ipairs(sessions) do
    if session[ENDS_AT] > now then
      if is_ended(session) then
        ended[#ended + 1] = session[SESSION_ID]
      else
        stay[#stay + 1] = session
      end
    end
  end
  return stay, ended
end

local function keep_sessions(key, sessions)
  local dead_at = 0
  for _, session in ipairs(sessions) do
    dead_at = math.max(dead_at, session[ENDS_AT])
  end
  keep(key, sessions, dead_at)
end

-- Keeps what an account is left with, even in a Redis that is full: the old sessions go first,
-- which is still allowed there, and what follows a first write is not refused any more.
local function replace_sessions(key, sessions)
  redis.call('DEL', key)
  if #sessions > 0 then
    keep_sessions(key, sessions)
  end
end

-- Makes every gateway refuse the access tokens of ended sessions for so long, and returns until
-- when. The set is what a gateway reads that comes late, the message is for those that listen.
local function refuse(revoked, channel, ended, revoked_for)
  local until_then = now + revoked_for
  if #ended == 0 then
    return until_then
  end
  local news = {}
  for _, id in ipairs(ended) do
    redis.call('ZADD', revoked, until_then, id)
    news[#news + 1] = struct.pack('>c16I8', id, until_then)
  end
  -- Those that have died stay a little longer, for a gateway that comes late and whose clock is behind.
  redis.call('ZREMRANGEBYSCORE', revoked, '-inf', now - MARGIN)
  if redis.call('PTTL', revoked) < revoked_for + MARGIN then
    redis.call('PEXPIRE', revoked, revoked_for + MARGIN)
  end
  redis.call('PUBLISH', channel, table.concat(news))
  return until_then
end
