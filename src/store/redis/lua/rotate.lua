-- A refresh token of some generation is presented. See `Store::rotate`.
-- KEYS: the account's sessions, the revoked ones of its group.
-- ARGV: now; the session, the generation, the policy; the address; the channel.

local MAX_REPLACED = 8

local id, generation, idle, absolute, grace, revoked_for =
  struct.unpack('>c16I4I8I8I8I8', ARGV[2])
local ip, channel = ARGV[3], ARGV[4]

local sessions = read(KEYS[1]) or {}
local session
for _, candidate in ipairs(sessions) do
  if candidate[SESSION_ID] == id then
    session = candidate
  end
end
if not session or not is_alive(session, idle, absolute) or generation > session[GENERATION] then
  return {'ended'}
end

local function to(successor, issued_at)
  return {'to', successor, issued_at, now,
    session[OPENED_AT], session[LAST_SEEN_AT], session[DEVICE_INFO], session[IP]}
end

local replaced = session[REPLACED]
if generation < session[GENERATION] then
  for at = 1, #replaced, 2 do
    if replaced[at] == generation and now < replaced[at + 1] + grace then
      return to(generation + 1, replaced[at + 1])
    end
  end
  local stay, ended = part(sessions, function(candidate)
    return candidate == session
  end)
  replace_sessions(KEYS[1], stay)
  local until_then = refuse(KEYS[2], channel, ended, revoked_for)
  return {'replayed', until_then, table.concat(ended)}
end

local repeatable = {}
for at = 1, #replaced, 2 do
  if now < replaced[at + 1] + grace then
    repeatable[#repeatable + 1] = replaced[at]
    repeatable[#repeatable + 1] = replaced[at + 1]
  end
end
if #repeatable == 2 * MAX_REPLACED then
  table.remove(repeatable, 1)
  table.remove(repeatable, 1)
end
repeatable[#repeatable + 1] = generation
repeatable[#repeatable + 1] = now

session[REPLACED] = repeatable
session[GENERATION] = generation + 1
session[LAST_SEEN_AT] = now
session[IP] = ip
session[ENDS_AT] = ends_at(session, idle, absolute)
local stay = part(sessions, function()
  return false
end)
replace_sessions(KEYS[1], stay)
return to(generation + 1, now)
