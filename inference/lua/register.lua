-- id attempt worker lease_ms model user weight estimate strikes payload -> {ok | stale | ended, last}
-- Rule 9: after Redis lost data a worker enters again what it holds; the log follows through append.
local id, attempt, worker, g = ARGV[2], tonumber(ARGV[3]), ARGV[4], read(ARGV[2])
local at, ended = last(id)
if g and (g.attempt > attempt or g.state == 's') then return {'stale', at} end
if ended then return {'ended', at} end
if g and g.attempt == attempt and g.state == 'r' and g.worker ~= worker
  and redis.call('EXISTS', lease_key(id)) == 1 then return {'stale', at} end
if g and (g.state == 'q' or g.state == 'r') then take_off(id, g) else join(id, ARGV[6], ARGV[7]) end
redis.call('HSET', gen_key(id), 'attempt', attempt, 'state', 'r', 'model', ARGV[6], 'user', ARGV[7], 'weight', ARGV[8],
  'estimate', ARGV[9], 'strikes', ARGV[10], 'where', 'user', 'worker', worker, 'charged', '1', 'payload', ARGV[11])
redis.call('SET', lease_key(id), worker, 'PX', ARGV[5])
redis.call('SADD', held_key(worker), id)
redis.call('HINCRBY', queue_key(ARGV[6], 'run'), ARGV[7], 1)
return {'ok', at}
