"""What Redis does in one piece: scripts, so that a message is in one place at every moment.

Of a team named T, with boxes named B:

smolagents:{T}:boxes     sorted set of boxes, in the order in which they were added
smolagents:{T}:ids       sorted set of ids that were sent, by time
smolagents:{T}:B:n       number of the last message; messages of all kinds are numbered together, which keeps their order
smolagents:{T}:B:task    stream of that kind of messages (and :reply, :note, :stop, :error), with the consumer group "agents"
smolagents:{T}:B:wake    stream to which something is added when a message can be received again
smolagents:{T}:B:dead    hash of dead letters by id
"""

from __future__ import annotations

__all__ = [
    "ADD",
    "COMPLETE",
    "EXTEND",
    "FINISH",
    "FREE",
    "GROUP",
    "PEEK",
    "RELEASE",
    "REQUEUE",
    "SEND",
    "STATUS",
    "TAKE",
    "WAKE",
]

GROUP = "agents"
KEPT_IDS_SECONDS = 86_400
MOST_KEPT_IDS = 1_000_000

_COMMON = f"""
local base, group = KEYS[1], '{GROUP}'
local kinds = {{'task', 'reply', 'note', 'stop', 'error'}}

local function key(box, what) return base .. box .. ':' .. what end

local function info(stream)
  if redis.call('EXISTS', stream) == 0 then return nil end
  local found = redis.call('XINFO', 'GROUPS', stream)[1]
  if not found then return nil end
  local by_name = {{}}
  for i = 1, #found, 2 do by_name[found[i]] = found[i + 1] end
  return by_name
end

local function number(id) return tonumber(string.match(id, '^%d+')) end

local function append(box, kind, id, body)
  local n = redis.call('INCR', key(box, 'n'))
  redis.call('XADD', key(box, kind), string.format('%.0f-0', n), 'id', id, 'body', body)
end

local function put(box, kind, id, body)
  local time = redis.call('TIME')
  if redis.call('ZADD', base .. 'ids', 'NX', time[1], id) == 0 then return 0 end
  redis.call('ZREMRANGEBYSCORE', base .. 'ids', '-inf', time[1] - {KEPT_IDS_SECONDS})
  redis.call('ZREMRANGEBYRANK', base .. 'ids', 0, -{MOST_KEPT_IDS + 1})
  append(box, kind, id, body)
  return 1
end

local function finish(box, kind, id)
  redis.call('XACK', key(box, kind), group, id)
  redis.call('XDEL', key(box, kind), id)
end

local function is_mine(box, kind, id, attempts)
  local found = redis.call('XPENDING', key(box, kind), group, id, id, 1)[1]
  return found and found[4] == tonumber(attempts)
end

local function wake(box) redis.call('XADD', key(box, 'wake'), 'MAXLEN', 1, '*', 'w', '') end
"""

ADD = (
    _COMMON
    + """
local box = ARGV[1]
for _, kind in ipairs(kinds) do
  if not info(key(box, kind)) then redis.call('XGROUP', 'CREATE', key(box, kind), group, '0', 'MKSTREAM') end
end
return redis.call('ZADD', base .. 'boxes', 'NX', redis.call('ZCARD', base .. 'boxes'), box)
"""
)

SEND = (
    _COMMON
    + """
local box, kind, id, body, capacity = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
if not redis.call('ZSCORE', base .. 'boxes', box) then return 'unknown' end
if capacity >= 0 and not redis.call('ZSCORE', base .. 'ids', id) then
  local count = 0
  for _, each in ipairs(kinds) do count = count + redis.call('XLEN', key(box, each)) end
  if count >= capacity then return 'full' end
end
put(box, kind, id, body)
return 'sent'
"""
)

# Gives {kind, stream id, attempts, body}; or {milliseconds until a lease runs out or -1, last of :wake, last of each kind}.
TAKE = (
    _COMMON
    + """
local box, consumer, lease, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local best, lasts, leased = nil, {}, {}

local function bury(kind, id, attempts)
  local entry = redis.call('XRANGE', key(box, kind), id, id)[1]
  if entry then
    redis.call('HSET', key(box, 'dead'), entry[2][2], number(id) .. '|' .. attempts .. '|' .. kind .. '|' .. entry[2][4])
  end
  finish(box, kind, id)
end

local function consider(kind, id, again)
  if not best or number(id) < number(best.id) then best = {kind = kind, id = id, again = again} end
end

for i = 5, #ARGV do
  local kind = ARGV[i]
  local stream = key(box, kind)
  local groups = redis.call('XLEN', stream) > 0 and info(stream)  -- what is done with is not in the stream
  if groups then
    local last = groups['last-delivered-id']
    lasts[#lasts + 1] = last
    if groups['pending'] > 0 then
      leased[#leased + 1] = stream
      local found = redis.call('XPENDING', stream, group, 'IDLE', lease, '-', '+', 1)[1]
      while found and found[4] >= most do
        bury(kind, found[1], found[4])
        found = redis.call('XPENDING', stream, group, 'IDLE', lease, '-', '+', 1)[1]
      end
      if found then consider(kind, found[1], true) end
    end
    local fresh = redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', 1)[1]
    if fresh then consider(kind, fresh[1], false) end
  else
    lasts[#lasts + 1] = '0-0'
  end
end

if best then
  local stream, entry, attempts = key(box, best.kind), nil, 1
  if best.again then
    entry = redis.call('XCLAIM', stream, group, consumer, 0, best.id)[1]
    attempts = redis.call('XPENDING', stream, group, best.id, best.id, 1)[1][4]
  else
    entry = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1, 'STREAMS', stream, '>')[1][2][1]
  end
  return {best.kind, entry[1], attempts, entry[2][4]}
end

local soonest = -1
for _, stream in ipairs(leased) do
  for _, found in ipairs(redis.call('XPENDING', stream, group, '-', '+', 100)) do
    local left = math.max(lease - found[3], 0)
    if soonest < 0 or left < soonest then soonest = left end
  end
end
local woken = redis.call('XREVRANGE', key(box, 'wake'), '+', '-', 'COUNT', 1)[1]
return {soonest, woken and woken[1] or '0-0', unpack(lasts)}
"""
)

FINISH = (
    _COMMON
    + """
finish(ARGV[1], ARGV[2], ARGV[3])
return 1
"""
)

COMPLETE = (
    _COMMON
    + """
local box, kind, id, to, answer_kind, answer_id, body = unpack(ARGV)
if redis.call('ZSCORE', base .. 'boxes', to) then put(to, answer_kind, answer_id, body) end
finish(box, kind, id)
return 1
"""
)

RELEASE = (
    _COMMON
    + """
local box, kind, id, attempts, consumer = unpack(ARGV)
if not is_mine(box, kind, id, attempts) then return 0 end
redis.call('XCLAIM', key(box, kind), group, consumer, 0, id, 'TIME', 0, 'JUSTID')
wake(box)
return 1
"""
)

EXTEND = (
    _COMMON
    + """
local box, kind, id, attempts, consumer = unpack(ARGV)
if not is_mine(box, kind, id, attempts) then return 0 end
redis.call('XCLAIM', key(box, kind), group, consumer, 0, id, 'JUSTID')
return 1
"""
)

# Gives back what a consumer has, except for the ids named, and forgets the consumer if it is gone.
FREE = (
    _COMMON
    + """
local box, kind, consumer, gone = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local stream, kept, count = key(box, kind), {}, 0
for i = 5, #ARGV do kept[ARGV[i]] = true end
for _, found in ipairs(redis.call('XPENDING', stream, group, '-', '+', 10000, consumer)) do
  if not kept[found[1]] then
    redis.call('XCLAIM', stream, group, 'nobody', 0, found[1], 'TIME', 0, 'JUSTID')
    count = count + 1
  end
end
if gone and #redis.call('XPENDING', stream, group, '-', '+', 1, consumer) == 0 then
  redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer)
end
if count > 0 then wake(box) end
return count
"""
)

STATUS = (
    _COMMON
    + """
local box, lease = ARGV[1], tonumber(ARGV[2])
local all, received = 0, 0
for _, kind in ipairs(kinds) do
  local stream = key(box, kind)
  local groups = info(stream)
  if groups then
    all = all + redis.call('XLEN', stream)
    received = received + groups['pending']
    if groups['pending'] > 0 then
      received = received - #redis.call('XPENDING', stream, group, 'IDLE', lease, '-', '+', 10000)
    end
  end
end
return {all - received, received, redis.call('HLEN', key(box, 'dead'))}
"""
)

# Gives {number, attempts, body} of what is in the box.
PEEK = (
    _COMMON
    + """
local box, result = ARGV[1], {}
for _, kind in ipairs(kinds) do
  local stream = key(box, kind)
  if info(stream) then
    local attempts = {}
    for _, found in ipairs(redis.call('XPENDING', stream, group, '-', '+', 10000)) do attempts[found[1]] = found[4] end
    for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+')) do
      result[#result + 1] = {number(entry[1]), attempts[entry[1]] or 0, entry[2][4]}
    end
  end
end
return result
"""
)

REQUEUE = (
    _COMMON
    + """
local box, id = ARGV[1], ARGV[2]
local letter = redis.call('HGET', key(box, 'dead'), id)
if not letter then return 0 end
local _, _, kind, body = string.match(letter, '^(%d+)|(%d+)|(%a+)|(.*)$')
append(box, kind, id, body)
redis.call('HDEL', key(box, 'dead'), id)
return 1
"""
)

WAKE = _COMMON + "wake(ARGV[1])"
