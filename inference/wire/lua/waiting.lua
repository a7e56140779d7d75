-- model -> ids in the order in which they will be served if nobody else comes and no limit holds anybody up:
-- suspects, recovered, then by virtual time, each user's own ones one after the other.
local model, out, starts, since = ARGV[2], {}, {}, {}
for _, name in ipairs({'suspects', 'front'}) do
  for _, id in ipairs(redis.call('LRANGE', queue_key(model, name), 0, -1)) do out[#out + 1] = id end
end
for place, turn in ipairs(by_turn(model)) do
  local vt, user = turn[1], turn[3]
  since[user] = place
  for _, id in ipairs(redis.call('LRANGE', queue_key(model, 'of:' .. user), 0, -1)) do
    starts[#starts + 1] = {vt, #starts, user, id}
    local g = read(id)
    if g and not g.charged then vt = vt + g.estimate / g.weight end
  end
end
local function earlier(a, b) if a[1] ~= b[1] then return a[1] < b[1] end return a[2] < b[2] end
table.sort(starts, earlier)
-- Equal starts: whoever was served longest ago, as claim will see it by then.
local from = 1
while from <= #starts do
  local equals = {}
  while starts[from] and (not equals[1] or starts[from][1] == equals[1][1]) do
    local start = starts[from]
    equals[#equals + 1] = {start[1], since[start[3]], start[3], start[4]}
    from = from + 1
  end
  table.sort(equals, earlier)
  for _, start in ipairs(equals) do
    out[#out + 1] = start[4]
    since[start[3]] = #out + 1e6 -- behind everybody who has not been served yet
  end
end
return out
