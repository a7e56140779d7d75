-- (id)* -> {{attempt, state, worker, leased, ended, last, contract}, ...}; attempt 0: Redis does not know it.
local out = {}
for i = 2, #ARGV do
  local g = read(ARGV[i])
  local at, ended = last(ARGV[i])
  local holder = redis.call('GET', lease_key(ARGV[i]))
  if g then
    out[#out + 1] = {g.attempt, g.state, g.worker, (holder and holder == g.worker) and 1 or 0, ended and 1 or 0, at,
      g.contract}
  else
    out[#out + 1] = {0, '', '', 0, ended and 1 or 0, at, 1}
  end
end
return out
