-- Sends on the credit of all places on this server and pays from all purses there, or nothing, ahead of a
-- send in a cluster.
-- KEYS: the meters, the purses. ARGV: now, what the places are, what was shown, the expenses.
-- Answers with what to give back if the send comes to nothing, and which purses have little left.

local all, shown = places(1, ARGV[2]), ARGV[3]:byte()
local worst, worth, level, rule = alarm(all)
if not is_answered(shown, worst, worth) then
  return {'suspected', worst, worth, level, rule}
end
local purses = purses(1 + #all, ARGV[4])
local index, longest = longest_want(purses)
if longest > 0 then
  return {'unpaid', index, longest}
end
owe_all(all)
keep_places(all)
local slots, scarce = spend_all(purses)
return {'owed', slots, scarce}
