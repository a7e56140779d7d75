-- id -> ended (it waited; the log has its end now) | flagged (its worker will see it) | already | unknown
local id, g = ARGV[2], read(ARGV[2])
local at, ended = last(id)
if ended then return 'already' end
if not g then return 'unknown' end
if g.state == 'q' then
  terminate(id, g, 'stopped', '{}', at)
  return 'ended'
end
redis.call('HSET', gen_key(id), 'stop', '1')
return 'flagged'
