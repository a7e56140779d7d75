-- id attempt worker seq reason body used millis -> {appended | already_there | stale | missing | gap, last}
-- The worker's end of a reply; the log must be complete up to seq first.
local id, g = ARGV[2], read(ARGV[2])
local at, ended = last(id)
if ended then return {'already_there', at} end
if not g then return {'missing', at} end
if g.attempt > tonumber(ARGV[3]) then return {'stale', at} end
if g.attempt < tonumber(ARGV[3]) or g.state ~= 'r' or g.worker ~= ARGV[4] then return {'missing', at} end
if at ~= tonumber(ARGV[5]) then return {'gap', at} end
terminate(id, g, ARGV[6], ARGV[7], tonumber(ARGV[8]))
-- Pace of this model, for estimates: mean milliseconds a reply, newest weighing a fifth.
local pace = tonumber(redis.call('HGET', queue_key(g.model, 'pace'), 'ms'))
local ms = tonumber(ARGV[9])
redis.call('HSET', queue_key(g.model, 'pace'), 'ms', pace and (pace * 0.8 + ms * 0.2) or ms)
return {'appended', at}
