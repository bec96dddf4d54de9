local known = -tonumber(redis.call('ZSCORE', KEYS[1], 'epoch') or 0)
local epoch = math.max(known, tonumber(redis.call('TIME')[1]) + 1, tonumber(ARGV[1]) + 1)
redis.call('ZADD', KEYS[1], -epoch, 'epoch')
return epoch
