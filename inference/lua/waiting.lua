-- model -> ids in the order in which they will be served if nobody else comes: suspects, recovered, then by
-- virtual time, each user's own ones one after the other.
local model, out, tagged = ARGV[2], {}, {}
for _, name in ipairs({'suspects', 'front'}) do
  for _, id in ipairs(redis.call('LRANGE', queue_key(model, name), 0, -1)) do out[#out + 1] = id end
end
local users = redis.call('ZRANGE', queue_key(model, 'waiting'), 0, -1, 'WITHSCORES')
for i = 1, #users, 2 do
  local vt = tonumber(users[i + 1])
  for k, id in ipairs(redis.call('LRANGE', queue_key(model, 'of:' .. users[i]), 0, -1)) do
    local v = redis.call('HMGET', gen_key(id), 'estimate', 'weight')
    tagged[#tagged + 1] = {vt, k, id}
    vt = vt + (tonumber(v[1]) or 0) / (tonumber(v[2]) or 1)
  end
end
-- Equal virtual times: the order of ZRANGE (by name), the same that claim uses; a stable key decides.
for i, t in ipairs(tagged) do t[4] = i end
table.sort(tagged, function(a, b) if a[1] ~= b[1] then return a[1] < b[1] end return a[4] < b[4] end)
for _, t in ipairs(tagged) do out[#out + 1] = t[3] end
return out
