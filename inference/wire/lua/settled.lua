-- id keep_ms -> 1. The row is saved: the prompt dies now, the log after keep_ms.
local id, g = ARGV[2], read(ARGV[2])
if g then
  take_off(id, g)
  redis.call('HDEL', gen_key(id), 'payload')
  redis.call('HSET', gen_key(id), 'state', 's')
  redis.call('PEXPIRE', gen_key(id), ARGV[3])
end
redis.call('PEXPIRE', log_key(id), ARGV[3])
return 1
