-- An answer came, and opens a session if it is right. See `Store::answer_challenge`.
-- KEYS: the account's code, its sessions, of its group the revoked ones, the messages and their queue, the
-- meter of each debtor.
-- ARGV: now; the policies, who answers, and the new session's id; the named challenge or nothing;
-- the tags of the given code; the device; the address; the channel; what the debtors are.

local ttl, max_age, max_attempts, max_failures, require_challenge, client, session_id, idle, absolute, max_sessions, access_ttl =
  struct.unpack('>I8I8I4I4Bc8c16I8I8I4I8', ARGV[2])
require_challenge = require_challenge == 1
local challenge_id, tags, device_info, ip, channel = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]

-- Attempts left when no challenge of this caller is known.
local UNKNOWN = -1

local code = read_code(KEYS[1])
if not code then
  return {'wrong', UNKNOWN}
end

-- Nothing was counted. A code that was kept under other rules dies by these from now on.
local function nothing(attempts_left)
  if dead_at(code, ttl, max_age) ~= code[DEAD_AT] then
    keep_code(KEYS[1], code, ttl, max_age)
  end
  return {'wrong', attempts_left}
end

if now >= expires_at(code, ttl, max_age) then
  return nothing(UNKNOWN)
end

local function recent(failures)
  local kept = {}
  for _, at in ipairs(failures) do
    if at > now - FAILURE_WINDOW then
      kept[#kept + 1] = at
    end
  end
  return kept
end

local function is_own(challenge)
  if challenge_id ~= '' then
    return challenge[ID] == challenge_id
  end
  return not require_challenge and challenge[CLIENT] == client
end

local function own_challenge()
  local challenges = code[CHALLENGES]
  for at = #challenges, 1, -1 do
    if is_own(challenges[at]) then
      return challenges[at]
    end
  end
end

local function own_stranger()
  for _, stranger in ipairs(code[STRANGERS]) do
    if stranger[WHO] == client then
      return stranger
    end
  end
end

-- All are compared, whichever is right. Each comparison takes the same time wherever the two
-- differ: Lua keeps every string once, so that it compares their addresses.
local function is_right()
  local right = false
  for at = 1, #tags, #code[TAG] do
    right = tags:sub(at, at + #code[TAG] - 1) == code[TAG] or right
  end
  return right
end

local function open()
  local sessions = read(KEYS[2]) or {}
  local debtors = places(6, ARGV[8])
  local gives_way = {}
  -- The new one has a place in any case.
  for place, session in ipairs(living(sessions, idle, absolute)) do
    gives_way[session] = place >= max_sessions
  end
  local stay, ended = part(sessions, function(session)
    return gives_way[session]
  end)
  local opened = {session_id, now, now, 0, device_info, ip, 0, {}}
  opened[ENDS_AT] = ends_at(opened, idle, absolute)
  stay[#stay + 1] = opened

  keep_sessions(KEYS[2], stay)
  redis.call('DEL', KEYS[1])
  for _, challenge in ipairs(code[CHALLENGES]) do
    answered(KEYS[4], KEYS[5], challenge[ID])
  end
  pay_all(debtors)
  keep_places(debtors)
  local until_then = refuse(KEYS[3], channel, ended, access_ttl)
  return {'opened', now, until_then, table.concat(ended)}
end

local function wrong(attempts_left)
  keep_code(KEYS[1], code, ttl, max_age)
  return {'wrong', attempts_left}
end

local failures, strange_failures = recent(code[FAILURES]), recent(code[STRANGE_FAILURES])
code[FAILURES], code[STRANGE_FAILURES] = failures, strange_failures
local failed = #failures + #strange_failures
local is_spent = failed >= max_failures
local right = is_right()

local challenge = own_challenge()
if challenge then
  if is_spent or challenge[WRONG] >= max_attempts then
    return nothing(0)
  end
  if right then
    return open()
  end
  challenge[WRONG] = challenge[WRONG] + 1
  failures[#failures + 1] = now
  return wrong(math.min(max_attempts - challenge[WRONG], max_failures - failed - 1))
end

local stranger = own_stranger()
if require_challenge
  or is_spent
  or not is_answerable(code, max_attempts)
  or (stranger and stranger[GUESSES] >= max_attempts)
  or #strange_failures >= math.floor(max_failures / 2)
then
  return nothing(UNKNOWN)
end
if right then
  return open()
end
if not stranger then
  stranger = {client, 0}
  table.insert(code[STRANGERS], stranger)
end
stranger[GUESSES] = stranger[GUESSES] + 1
strange_failures[#strange_failures + 1] = now
return wrong(UNKNOWN)
