-- id attempt worker after seq text ids scores kind ms -> {appended | already_there | stale | missing | gap, last, stop}
local id, g = ARGV[2], read(ARGV[2])
local at, ended = last(id)
if not g then return {'missing', at, 0} end
local stop = g.stop and 1 or 0
if ended or g.attempt > tonumber(ARGV[3]) then return {'stale', at, stop} end
if g.attempt < tonumber(ARGV[3]) or g.state ~= 'r' or g.worker ~= ARGV[4] then return {'missing', at, stop} end
local after, seq = tonumber(ARGV[5]), tonumber(ARGV[6])
if at >= seq then return {'already_there', at, stop} end
if at ~= after then return {'gap', at, stop} end
local entry = {'after', after, 'text', ARGV[7], 'ids', ARGV[8]}
for i, name in ipairs({'scores', 'kind', 'ms'}) do
  local value = ARGV[8 + i]
  if value and value ~= '' then
    entry[#entry + 1] = name
    entry[#entry + 1] = value
  end
end
redis.call('XADD', log_key(id), entry_id(g.run, seq, 0), unpack(entry))
if after == 0 then mark(id, 'first') end
return {'appended', seq, stop}
