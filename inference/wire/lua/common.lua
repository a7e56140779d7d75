-- Shared by every script (inference/wire/scripts.py puts it in front). ARGV[1] is the key prefix.
-- One generation: hash <P>:gen:<id>, stream <P>:log:<id>, lease <P>:lease:<id>. States in the hash:
-- q waiting, r running, e ended (its log has the terminal entry), s settled (saved; the log expires).
local P = ARGV[1]
local function gen_key(id) return P .. ':gen:' .. id end
local function log_key(id) return P .. ':log:' .. id end
local function lease_key(id) return P .. ':lease:' .. id end
local function held_key(worker) return P .. ':held:' .. worker end
local function queue_key(model, name) return P .. ':q:' .. model .. ':' .. name end
local function prefix_key(model, user, talk) return P .. ':prefix:' .. model .. ':' .. user .. ':' .. talk end

-- The id of an entry is <run * RUN + seq>-0, that of the terminal entry <...>-1: a reader's place in the log of an
-- older run is before every entry of a newer one. inference/wire/log.py has the same RUN.
local RUN = 1000000000
local function entry_id(run, seq, sub) return string.format('%.0f-%d', run * RUN + seq, sub) end

-- Number of the last token in the log, whether the log has its terminal entry, its run, and the kind of the last entry.
local function last(id)
  local entries = redis.call('XREVRANGE', log_key(id), '+', '-', 'COUNT', 1)
  if #entries == 0 then return 0, false, 0, '' end
  local number, sub = string.match(entries[1][1], '^(%d+)%-(%d+)$')
  local fields, kind = entries[1][2], ''
  for i = 1, #fields, 2 do
    if fields[i] == 'kind' then kind = fields[i + 1] end
  end
  number = tonumber(number)
  return number % RUN, sub == '1', math.floor(number / RUN), kind
end

-- A newer run starts again with other words. Returns the number of the last token that stays.
local function empty_older(id, run)
  local seq, _, logged = last(id)
  if logged >= run then return seq end
  redis.call('DEL', log_key(id))
  return 0
end

local function read(id)
  local v = redis.call('HMGET', gen_key(id), 'attempt', 'state', 'model', 'user', 'worker', 'where', 'weight',
    'estimate', 'charged', 'strikes', 'stop', 'limit', 'talk', 'offered', 'contract', 'run')
  if not v[1] then return nil end
  return {attempt = tonumber(v[1]), state = v[2], model = v[3], user = v[4], worker = v[5] or '', where = v[6] or '',
    weight = tonumber(v[7]) or 1, estimate = tonumber(v[8]) or 0, charged = v[9] == '1',
    strikes = tonumber(v[10]) or 0, stop = v[11] == '1', limit = tonumber(v[12]) or 1,
    talk = v[13] or '', offered = v[14] == '1', contract = tonumber(v[15]) or 1,
    run = tonumber(v[16]) or 0}
end

-- Milliseconds of Redis' own clock: those of the hosts need not agree.
local function now()
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

-- When a reply was asked for, begun, and its first token came. The first time counts, whatever attempt follows.
local function mark(id, moment) redis.call('HSETNX', gen_key(id), moment, now()) end

-- For the terminal entry: how long it waited, until its first token, and in all. What Redis lost is left out.
local function times(id)
  local marks, out = redis.call('HMGET', gen_key(id), 'asked', 'began', 'first'), {}
  local asked = tonumber(marks[1])
  if not asked then return out end
  local named = {queued = marks[2], first = marks[3], total = now()}
  for name, at in pairs(named) do
    if at then
      out[#out + 1] = name
      out[#out + 1] = string.format('%.0f', math.max(0, at - asked))
    end
  end
  return out
end

local function count(key, field, by)
  local n = redis.call('HINCRBY', key, field, by)
  if n <= 0 then redis.call('HDEL', key, field) end
end

local function charge(model, user, tokens, weight)
  local vt = redis.call('HINCRBYFLOAT', queue_key(model, 'vt'), user, tokens / weight)
  redis.call('ZADD', queue_key(model, 'waiting'), 'XX', vt, user)
end

local function raise(model, user, least)
  if (tonumber(redis.call('HGET', queue_key(model, 'vt'), user)) or 0) >= least then return end
  redis.call('HSET', queue_key(model, 'vt'), user, least)
  redis.call('ZADD', queue_key(model, 'waiting'), 'XX', least, user)
end

-- Rule 5, start-time fair queueing: who has nothing waiting begins at the queue's clock (the latest start that claim
-- served), so that being away gives no credit and having been alone here no debt.
-- `ids` holds what waits or runs: reconcile drops those whose row is settled (Redis came back with older data).
local function join(id, model, user)
  redis.call('SADD', queue_key(model, 'ids'), id)
  if not redis.call('ZSCORE', queue_key(model, 'waiting'), user) then
    raise(model, user, tonumber(redis.call('GET', queue_key(model, 'clock'))) or 0)
  end
end

-- Behind everybody who waits with the same virtual time: first come, first served.
local function last_of_equals(model, user)
  redis.call('HSET', queue_key(model, 'since'), user, redis.call('INCR', queue_key(model, 'arrivals')))
end

local function waits_no_more(model, user)
  redis.call('ZREM', queue_key(model, 'waiting'), user)
  redis.call('HDEL', queue_key(model, 'since'), user)
end

-- {virtual time, arrival, user} of everybody who waits, in the order of their turns.
local function by_turn(model)
  local scored, turns = redis.call('ZRANGE', queue_key(model, 'waiting'), 0, -1, 'WITHSCORES'), {}
  for i = 1, #scored, 2 do
    local since = tonumber(redis.call('HGET', queue_key(model, 'since'), scored[i])) or 0
    turns[#turns + 1] = {tonumber(scored[i + 1]), since, scored[i]}
  end
  table.sort(turns, function(a, b) if a[1] ~= b[1] then return a[1] < b[1] end return a[2] < b[2] end)
  return turns
end

local function enqueue(id, model, user, where)
  if where ~= 'user' then
    redis.call('RPUSH', queue_key(model, where), id)
  elseif redis.call('RPUSH', queue_key(model, 'of:' .. user), id) == 1 then
    redis.call('ZADD', queue_key(model, 'waiting'), redis.call('HGET', queue_key(model, 'vt'), user) or 0, user)
    last_of_equals(model, user)
  end
end

local function dequeue(id, g)
  if g.where == 'user' then
    local list = queue_key(g.model, 'of:' .. g.user)
    redis.call('LREM', list, 1, id)
    if redis.call('LLEN', list) == 0 then waits_no_more(g.model, g.user) end
  else
    redis.call('LREM', queue_key(g.model, g.where), 1, id)
  end
end

local function stop_running(id, g)
  count(queue_key(g.model, 'run'), g.user, -1)
  redis.call('SREM', held_key(g.worker), id)
  redis.call('DEL', lease_key(id))
end

-- Out of the queue or off its worker, whichever it is on; false if it was on neither.
local function take_off(id, g)
  if g.state == 'q' then dequeue(id, g) elseif g.state == 'r' then stop_running(id, g) else return false end
  redis.call('SREM', queue_key(g.model, 'ids'), id)
  return true
end

-- Rule 2: the one terminal entry. `end` carries the reason, `body` the rest as JSON, then milliseconds (see times).
-- g may be nil (Redis lost it).
local function terminate(id, g, reason, body, used)
  local seq, _, run = last(id)
  if g and g.run > run then run = g.run end
  redis.call('XADD', log_key(id), entry_id(run, seq, 1), 'end', reason, 'body', body, unpack(times(id)))
  if not g then
    redis.call('HSET', gen_key(id), 'attempt', 0, 'state', 'e')
    return
  end
  if take_off(id, g) and g.charged then charge(g.model, g.user, used - g.estimate, g.weight) end
  redis.call('HSET', gen_key(id), 'state', 'e')
end
