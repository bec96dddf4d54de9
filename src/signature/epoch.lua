local epoch = math.max(tonumber(redis.call('TIME')[1]), tonumber(ARGV[1])) + 1
local known = tonumber(redis.call('GET', KEYS[1]))
if known and known > epoch then
  epoch = known
end
redis.call('SET', KEYS[1], epoch)
return epoch
