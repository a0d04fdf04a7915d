-- Messages of another store, each in place of what a copy has kept of it before.
-- KEYS: of each the rows of its group and its queue. ARGV: now, and of each the challenge, when it is
-- due or 0, and the row.

for index = 2, #ARGV do
  local id, due, at = struct.unpack('>c16I8', ARGV[index])
  local row = ARGV[index]:sub(at)
  if now < row_dead_at(row) then
    keep_row(KEYS[2 * index - 3], KEYS[2 * index - 2], id, row, due)
  end
end
return {'put'}
