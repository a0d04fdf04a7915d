-- Accounts of another store, each in place of what a copy has kept of it before.
-- KEYS: of each its code and its sessions. ARGV: now, and the fields of each.

local function challenge()
  return {field('c16'), field('c8'), count()}
end

local function stranger()
  return {field('c8'), count()}
end

local function code()
  return {
    field('c16'), field('c4'), field('c16'), moment(), moment(),
    list(challenge), list(stranger), list(moment), list(moment), moment(),
  }
end

local function session()
  local session = {field('c16'), moment(), moment(), moment(), text(), text(), count(), {}}
  for _ = 1, count() do
    table.insert(session[REPLACED], count())
    table.insert(session[REPLACED], moment())
  end
  return session
end

local function none()
  return false
end

for index = 2, #ARGV do
  local code_key, sessions_key = KEYS[2 * index - 3], KEYS[2 * index - 2]
  read_fields(ARGV[index])
  local live = list(code)[1]
  local sessions = part(list(session), none)
  redis.call('DEL', code_key, sessions_key)
  if live and now < live[DEAD_AT] then
    keep(code_key, live, live[DEAD_AT])
  end
  if #sessions > 0 then
    keep_sessions(sessions_key, sessions)
  end
end
return {'put'}
