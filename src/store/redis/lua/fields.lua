-- What a copy brings along: fields one after the other, big-endian, as `copy/pack.rs` writes them.

local bytes, at

-- Turns to an argument, to be read from its first byte on.
local function read_fields(argument)
  bytes, at = argument, 1
end

local function field(form)
  local value
  value, at = struct.unpack(form, bytes, at)
  return value
end

local function count()
  return field('>I4')
end

local function moment()
  return field('>I8')
end

local function text()
  local length = count()
  at = at + length
  return bytes:sub(at - length, at - 1)
end

local function list(read_one)
  local items = {}
  for index = 1, count() do
    items[index] = read_one()
  end
  return items
end
