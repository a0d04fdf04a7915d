-- What is remembered of the codes of one account; `domain::otp` says what it means.
--
-- A code is a list of NONCE .. DEAD_AT, a challenge one of ID, CLIENT, WRONG, a stranger one of
-- WHO, GUESSES. Where no code is live there is no record.

local NONCE, SECRET, TAG, STARTED_AT, SENT_AT = 1, 2, 3, 4, 5
local CHALLENGES, STRANGERS, FAILURES, STRANGE_FAILURES, DEAD_AT = 6, 7, 8, 9, 10
local ID, CLIENT, WRONG = 1, 2, 3
local WHO, GUESSES = 1, 2

local FAILURE_WINDOW = 24 * 60 * 60 * 1000

local function expires_at(code, ttl, max_age)
  return math.min(code[SENT_AT] + ttl, code[STARTED_AT] + max_age)
end

-- Whether a challenge on this code is left unburnt.
local function is_answerable(code, max_attempts)
  for _, challenge in ipairs(code[CHALLENGES]) do
    if challenge[WRONG] < max_attempts then
      return true
    end
  end
  return false
end

local function read_code(key)
  local code = read(key)
  return code and now < code[DEAD_AT] and code or nil
end

local function dead_at(code, ttl, max_age)
  local latest = expires_at(code, ttl, max_age)
  for _, failures in ipairs({code[FAILURES], code[STRANGE_FAILURES]}) do
    for _, at in ipairs(failures) do
      latest = math.max(latest, at + FAILURE_WINDOW)
    end
  end
  return latest
end

local function keep_code(key, code, ttl, max_age)
  code[DEAD_AT] = dead_at(code, ttl, max_age)
  keep(key, code, code[DEAD_AT])
end
