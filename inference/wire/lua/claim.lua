-- model worker lease_ms suspect_allowed prefix_ms -> nil | {run|stopped, id, attempt, strikes, payload} | {elsewhere}
-- Whose turn, pop, lease, running count and stop flag in one call (rule 5). Suspects first, one a worker (rule 8),
-- then recovered work, then the waiting user with the smallest virtual time. Nobody runs more than their limit.
-- A request that needs a newer contract than the worker announced stays for another worker, with its turn; so does one
-- whose log the worker cannot continue: reconcile empties that if no worker can.
-- `elsewhere`: only replies whose conversation another worker holds, which has room: it may come first, once.
local model, worker = ARGV[2], ARGV[3]
local announced = redis.call('HMGET', P .. ':worker:' .. worker, 'contract', 'resume')
local version, resume = tonumber(announced[1]) or 1, announced[2] or 'exact'

local function give(id, g)
  if g.stop then
    terminate(id, g, 'stopped', '{}', (last(id)))
    return {'stopped', id, g.attempt, g.strikes, ''}
  end
  dequeue(id, g)
  redis.call('HSET', gen_key(id), 'state', 'r', 'worker', worker)
  mark(id, 'began')
  redis.call('SET', lease_key(id), worker, 'PX', ARGV[4])
  redis.call('SADD', held_key(worker), id)
  if g.talk ~= '' then redis.call('SET', prefix_key(model, g.user, g.talk), worker, 'PX', ARGV[6]) end
  redis.call('HINCRBY', queue_key(model, 'run'), g.user, 1)
  if not g.charged then
    redis.call('HSET', gen_key(id), 'charged', '1')
    charge(model, g.user, g.estimate, g.weight)
  end
  return {'run', id, g.attempt, g.strikes, redis.call('HGET', gen_key(id), 'payload')}
end

-- Whether the worker can go on from what earlier attempts logged (contract.Resume).
local function continues(id)
  if resume == 'exact' then return true end
  local at, _, _, kind = last(id)
  return at == 0 or (resume == 'prefix' and kind == '')
end

-- The first id of a list whose user may run one more, and its hash. Without one: whether any needs a newer worker.
-- What does not wait there (its hash was lost) is thrown away.
local function first(list, where)
  local newer = false
  for _, id in ipairs(redis.call('LRANGE', list, 0, -1)) do
    local g = read(id)
    if not g or g.state ~= 'q' or g.where ~= where then
      redis.call('LREM', list, 1, id)
    elseif not g.stop and (g.contract > version or not continues(id)) then
      newer = true
    elseif g.stop or (tonumber(redis.call('HGET', queue_key(model, 'run'), g.user)) or 0) < g.limit then
      return id, g
    end
  end
  return nil, nil, newer
end

-- Whether another worker has the beginning of this conversation in its cache, is alive and has a free slot. A hint:
-- each reply is left for it once, and whoever asks next gets it.
local function left_to_its_holder(id, g)
  if g.offered or g.talk == '' then return false end
  local holder = redis.call('GET', prefix_key(model, g.user, g.talk))
  if not holder or holder == worker then return false end
  local slots = tonumber(redis.call('HGET', P .. ':worker:' .. holder, 'slots')) or 0
  if redis.call('SCARD', held_key(holder)) >= slots then return false end
  redis.call('HSET', gen_key(id), 'offered', '1')
  return true
end

-- The clock goes on to this start. Those passed over, who run their limit already, keep no credit for turns that
-- they could not take: it would grow without bound, and be spent on everybody else's slots.
local function advance(user, start, passed)
  local clock = tonumber(redis.call('GET', queue_key(model, 'clock'))) or 0
  if start > clock then redis.call('SET', queue_key(model, 'clock'), start) end
  for _, name in ipairs(passed) do raise(model, name, start) end
  last_of_equals(model, user)
end

if ARGV[5] == '1' then
  local id, g = first(queue_key(model, 'suspects'), 'suspects')
  if id then return give(id, g) end
end
local id, g = first(queue_key(model, 'front'), 'front')
if id then return give(id, g) end
local passed, left = {}, false
for _, turn in ipairs(by_turn(model)) do
  local start, user = turn[1], turn[3]
  local list = queue_key(model, 'of:' .. user)
  local uid, ug, newer = first(list, 'user')
  if uid and not ug.stop and left_to_its_holder(uid, ug) then
    left = true
  elseif uid then
    if not ug.stop then advance(user, start, passed) end
    return give(uid, ug)
  end
  if redis.call('LLEN', list) == 0 then
    waits_no_more(model, user)
  elseif not uid and not newer then
    passed[#passed + 1] = user
  end
end
return left and {'elsewhere'} or nil
