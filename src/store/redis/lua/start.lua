-- A code is to be sent. See `Store::start_challenge`.
-- KEYS: the account's code, the messages of its group and their queue, the bucket of each charge, the
-- meter of each debtor, the purse of each expense, and the name of the request if it has one.
-- ARGV: now, the policy, what a new code is made from and how long its message waits at most for the one who
-- asks, the known secrets, the charges, what the debtors are, what was shown, the message, what is
-- asked for if that has a name, the expenses.

local MAX_CHALLENGES, FIRST_BUCKET = 16, 4

local ttl, max_age, max_attempts, id, client, nonce, secret, tag, pause =
  struct.unpack('>I8I8I4c16c8c16c4c16I8', ARGV[2])
local known, charges, message, request = ARGV[3], ARGV[4], ARGV[7], ARGV[8]

local once = #request > 0 and KEYS[#KEYS]
local before = once and earlier(once, request)
if before then
  return before
end

local index, longest = longest_wait(FIRST_BUCKET, charges)
if longest > 0 then
  return {'limited', index, longest}
end

local first_meter = FIRST_BUCKET + count_charges(charges)
local all, shown = places(first_meter, ARGV[5]), ARGV[6]:byte()
local worst, worth, level, rule = alarm(all)
if not is_answered(shown, worst, worth) then
  return {'suspected', worst, worth, level, rule}
end

local purses = purses(first_meter + #all, ARGV[9])
local wanting, longest_wanting = longest_want(purses)
if longest_wanting > 0 then
  return {'unpaid', wanting, longest_wanting}
end

local function is_known(name)
  for at = 1, #known, #name do
    if known:sub(at, at + #name - 1) == name then
      return true
    end
  end
  return false
end

-- At least half of a code's life must remain to it, or its owner would receive one about to die.
local function may_send_again(code)
  return now < expires_at(code, ttl, max_age)
    and now + math.floor(ttl / 2) <= code[STARTED_AT] + max_age
    and is_answerable(code, max_attempts)
    and is_known(code[SECRET])
end

local function own_challenge(code)
  for _, challenge in ipairs(code[CHALLENGES]) do
    -- One of an earlier gateway may lie elsewhere.
    local is_beside = challenge[ID]:byte() == id:byte()
    if challenge[CLIENT] == client and challenge[WRONG] < max_attempts and is_beside then
      return challenge
    end
  end
end

local code = read_code(KEYS[1])
if not (code and may_send_again(code)) then
  local failures = code and code[FAILURES] or {}
  local strange_failures = code and code[STRANGE_FAILURES] or {}
  code = {nonce, secret, tag, now, now, {}, {}, failures, strange_failures, 0}
end
code[SENT_AT] = now
local own = own_challenge(code)
if not own then
  own = {id, client, 0}
  local challenges = code[CHALLENGES]
  if #challenges == MAX_CHALLENGES then
    table.remove(challenges, 1)
  end
  challenges[#challenges + 1] = own
end

keep_code(KEYS[1], code, ttl, max_age)
take(FIRST_BUCKET, charges)
owe_all(all)
keep_places(all)
local _, scarce = spend_all(purses)
local dies = expires_at(code, ttl, max_age)
-- One that goes nowhere is never due.
local due = pause > 0 and now + pause or 0
local row = struct.pack(HEAD, 0, due, dies, now, code[NONCE], code[SECRET]) .. message
keep_row(KEYS[2], KEYS[3], own[ID], row, math.min(due, dies))
if once then
  local kept = struct.pack(ONCE, request, own[ID], code[NONCE], code[SECRET], dies, now)
  remember(once, kept, dies)
end
return {
  'started', own[ID], code[NONCE], code[SECRET], dies, now,
  worst, worth, level, rule, scarce,
}
