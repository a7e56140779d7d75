-- model worker lease_ms suspect_allowed user_limit -> nil | {run|stopped, id, attempt, strikes, payload}
-- Whose turn, pop, lease, running count and stop flag in one call (rule 5). Suspects first, one a worker (rule 8),
-- then recovered work, then the waiting user with the smallest virtual time who is below the limit.
local model, worker = ARGV[2], ARGV[3]

local function give(id, g)
  dequeue(id, g)
  if g.stop then
    redis.call('HSET', gen_key(id), 'state', 'p') -- popped: neither list nor worker has it
    g.state = 'p'
    terminate(id, g, 'stopped', '{}', (last(id)))
    depart(id, g)
    return {'stopped', id, g.attempt, g.strikes, ''}
  end
  redis.call('HSET', gen_key(id), 'state', 'r', 'worker', worker)
  mark(id, 'began')
  redis.call('SET', lease_key(id), worker, 'PX', ARGV[4])
  redis.call('SADD', held_key(worker), id)
  redis.call('HINCRBY', queue_key(model, 'run'), g.user, 1)
  if not g.charged then
    redis.call('HSET', gen_key(id), 'charged', '1')
    charge(model, g.user, g.estimate, g.weight)
  end
  return {'run', id, g.attempt, g.strikes, redis.call('HGET', gen_key(id), 'payload')}
end

-- The first id of a list that is really waiting there; what is not (its hash was lost) is thrown away.
local function head(list, where)
  while true do
    local id = redis.call('LINDEX', list, 0)
    if not id then return nil end
    local g = read(id)
    if g and g.state == 'q' and g.where == where then return id, g end
    redis.call('LPOP', list)
  end
end

if ARGV[5] == '1' then
  local id, g = head(queue_key(model, 'suspects'), 'suspects')
  if id then return give(id, g) end
end
local id, g = head(queue_key(model, 'front'), 'front')
if id then return give(id, g) end
for _, user in ipairs(redis.call('ZRANGE', queue_key(model, 'waiting'), 0, -1)) do
  local running = tonumber(redis.call('HGET', queue_key(model, 'run'), user)) or 0
  if running < tonumber(ARGV[6]) then
    local uid, ug = head(queue_key(model, 'of:' .. user), 'user')
    if uid then return give(uid, ug) end
    redis.call('ZREM', queue_key(model, 'waiting'), user)
  end
end
return nil
