-- A code was answered: pays for messages, on a server of a cluster where the account is not.
-- KEYS: the meters. ARGV: now, what they are.

local all = places(1, ARGV[2])
pay_all(all)
keep_places(all)
return {'paid'}
