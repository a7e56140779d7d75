-- id attempt worker lease_ms model user weight estimate limit strikes payload talk contract run -> {ok | stale | ended, last}
-- Rule 9: after Redis lost data a worker enters again what it holds; the log follows through append. It runs already,
-- so the user's limit is not asked.
local id, attempt, worker, g = ARGV[2], tonumber(ARGV[3]), ARGV[4], read(ARGV[2])
local at, ended = last(id)
if g and (g.attempt > attempt or g.state == 's') then return {'stale', at} end
if ended then return {'ended', at} end
if g and g.attempt == attempt and g.state == 'r' and g.worker ~= worker
  and redis.call('EXISTS', lease_key(id)) == 1 then return {'stale', at} end
local model, user, weight, estimate = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
if g then take_off(id, g) end
join(id, model, user)
if g and g.charged then
  weight, estimate = g.weight, g.estimate
else
  charge(model, user, estimate, weight)
end
redis.call('HSET', gen_key(id), 'attempt', attempt, 'state', 'r', 'model', model, 'user', user, 'weight', weight,
  'estimate', estimate, 'limit', ARGV[10], 'strikes', ARGV[11], 'where', 'user', 'worker', worker, 'charged', '1',
  'payload', ARGV[12], 'talk', ARGV[13], 'contract', ARGV[14], 'run', ARGV[15])
at = empty_older(id, tonumber(ARGV[15]))
redis.call('SET', lease_key(id), worker, 'PX', ARGV[5])
redis.call('SADD', held_key(worker), id)
redis.call('HINCRBY', queue_key(model, 'run'), user, 1)
return {'ok', at}
