-- id attempt model user weight estimate strikes front payload -> queued | known | stale | ended
-- Idempotent by (id, attempt). A higher attempt takes the work away from whoever has it. Never refuses for length.
local id, attempt, model, user = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local _, ended = last(id)
if ended then return 'ended' end
local g = read(id)
if g and g.attempt > attempt then return 'stale' end
if g and g.attempt == attempt then return 'known' end
if g and (g.state == 'q' or g.state == 'r') then take_off(id, g) else join(id, model, user) end
local where = 'user'
if tonumber(ARGV[8]) > 0 then where = 'suspects' elseif ARGV[9] == '1' then where = 'front' end
redis.call('HSET', gen_key(id), 'attempt', attempt, 'state', 'q', 'model', model, 'user', user, 'weight', ARGV[6],
  'estimate', ARGV[7], 'strikes', ARGV[8], 'where', where, 'worker', '', 'payload', ARGV[10])
redis.call('PERSIST', gen_key(id))
mark(id, 'asked')
enqueue(id, model, user, where)
return 'queued'
