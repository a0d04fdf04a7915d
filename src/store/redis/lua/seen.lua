-- What came of an earlier request under this name. Asked ahead of a send in a cluster.
-- KEYS: the name. ARGV: now, what is asked for.

return earlier(KEYS[1], ARGV[2]) or {'new'}
