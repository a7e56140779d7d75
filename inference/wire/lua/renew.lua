-- worker lease_ms (id attempt)* -> {{ok | stale | missing, stop, state}, ...}; keeps the leases of one worker alive.
local worker, out = ARGV[2], {}
for i = 4, #ARGV, 2 do
  local id, attempt, g = ARGV[i], tonumber(ARGV[i + 1]), read(ARGV[i])
  local code, state = 'missing', ''
  if g then
    state = g.state
    if g.attempt > attempt then code = 'stale'
    elseif g.state == 'e' or g.state == 's' then code = 'ok'
    elseif g.attempt == attempt and g.state == 'r' and g.worker == worker then
      redis.call('SET', lease_key(id), worker, 'PX', ARGV[3])
      code = 'ok'
    end
  end
  out[#out + 1] = {code, (g and g.stop) and 1 or 0, state}
end
return out
