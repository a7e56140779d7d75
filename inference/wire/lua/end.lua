-- id attempt reason body -> appended | already_there | stale
-- An end that no worker gave: reconcile's failures and late stops. Makes the log if there is none.
local id, g = ARGV[2], read(ARGV[2])
local _, ended = last(id)
if ended then return 'already_there' end
if g and g.attempt > tonumber(ARGV[3]) then return 'stale' end
local used = last(id) -- tokens already made count
terminate(id, g, ARGV[4], ARGV[5], used)
return 'appended'
