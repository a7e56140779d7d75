-- id attempt model user weight estimate limit strikes front payload talk contract run -> queued | known | stale | ended
-- Idempotent by (id, attempt). A higher run empties the log. A higher attempt takes the work away from whoever has it. Never refuses for length.
local id, attempt, model, user = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local _, ended = last(id)
if ended then return 'ended' end
local g = read(id)
if g and g.attempt > attempt then return 'stale' end
if g and g.attempt == attempt then return 'known' end
local weight, estimate = ARGV[6], ARGV[7]
if g then
  take_off(id, g)
  -- What was charged is corrected by the same figures, whatever the policy says by now.
  if g.charged then weight, estimate = g.weight, g.estimate end
end
local where = 'user'
if tonumber(ARGV[9]) > 0 then where = 'suspects' elseif ARGV[10] == '1' then where = 'front' end
join(id, model, user)
redis.call('HSET', gen_key(id), 'attempt', attempt, 'state', 'q', 'model', model, 'user', user, 'weight', weight,
  'estimate', estimate, 'limit', ARGV[8], 'strikes', ARGV[9], 'where', where, 'worker', '', 'payload', ARGV[11], 'talk', ARGV[12],
  'contract', ARGV[13], 'run', ARGV[14])
empty_older(id, tonumber(ARGV[14]))
redis.call('PERSIST', gen_key(id))
mark(id, 'asked')
enqueue(id, model, user, where)
return 'queued'
