-- worker additions -> {{appended | already_there | stale | missing | gap, last, stop}, ...}
-- One call for all replies that have news; a call for each costs the worker twice as much. `additions` are packed
-- (MessagePack), as arguments are expensive to send: {{id, attempt, after, seq, text, ids, scores, kind, ms}, ...}
local worker = ARGV[2]

local function append(id, attempt, after, seq, text, ids, ...)
  local g = read(id)
  local at, ended = last(id)
  if not g then return {'missing', at, 0} end
  local stop = g.stop and 1 or 0
  if ended or g.attempt > attempt then return {'stale', at, stop} end
  if g.attempt < attempt or g.state ~= 'r' or g.worker ~= worker then return {'missing', at, stop} end
  if at >= seq then return {'already_there', at, stop} end
  if at ~= after then return {'gap', at, stop} end
  local entry = {'after', after, 'text', text, 'ids', ids}
  for i, name in ipairs({'scores', 'kind', 'ms'}) do
    local value = select(i, ...)
    if value ~= '' then
      entry[#entry + 1] = name
      entry[#entry + 1] = value
    end
  end
  redis.call('XADD', log_key(id), entry_id(g.run, seq, 0), unpack(entry))
  if after == 0 then mark(id, 'first') end
  return {'appended', seq, stop}
end

local out = {}
for i, addition in ipairs(cmsgpack.unpack(ARGV[3])) do out[i] = append(unpack(addition)) end
return out
