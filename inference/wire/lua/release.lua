-- id attempt worker -> released | stale. Hand-over (rule 11): to the head of the queue, no strike, same attempt.
local id, g = ARGV[2], read(ARGV[2])
if not g or g.attempt ~= tonumber(ARGV[3]) or g.state ~= 'r' or g.worker ~= ARGV[4] then return 'stale' end
stop_running(id, g)
local where = g.strikes > 0 and 'suspects' or 'front'
redis.call('HSET', gen_key(id), 'state', 'q', 'where', where, 'worker', '')
enqueue(id, g.model, g.user, where)
return 'released'
