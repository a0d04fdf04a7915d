-- Sessions are ended before their time. See `Store::revoke`.
-- KEYS: the account's sessions, the revoked ones of its group.
-- ARGV: now; for how long access tokens are refused; `one`, `all` or `others`; the session that is
-- meant or stays; the channel.

local revoked_for = struct.unpack('>I8', ARGV[2])
local which, id, channel = ARGV[3], ARGV[4], ARGV[5]

local is_meant = {
  one = function(session) return session[SESSION_ID] == id end,
  all = function() return true end,
  others = function(session) return session[SESSION_ID] ~= id end,
}

local stay, ended = part(read(KEYS[1]) or {}, is_meant[which])
if #ended > 0 then
  replace_sessions(KEYS[1], stay)
end
return {'ended', refuse(KEYS[2], channel, ended, revoked_for), table.concat(ended)}
