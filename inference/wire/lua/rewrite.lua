-- id attempt worker -> rewritten | stale
-- The holder's copy of the log is in other pieces than Redis' (older data came back): the log starts again.
local id, g = ARGV[2], read(ARGV[2])
local _, ended = last(id)
if ended or not g or g.attempt ~= tonumber(ARGV[3]) or g.state ~= 'r' or g.worker ~= ARGV[4] then return 'stale' end
redis.call('DEL', log_key(id))
return 'rewritten'
