-- Sends on the credit of all places on this server or of none, ahead of a send in a cluster.
-- KEYS: the meters. ARGV: now, what they are, what was shown.

local all, shown = places(1, ARGV[2]), ARGV[3]:byte()
local worst, worth, level, rule = alarm(all)
if not is_answered(shown, worst, worth) then
  return {'suspected', worst, worth, level, rule}
end
owe_all(all)
keep_places(all)
return {'owed'}
