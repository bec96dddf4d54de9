local time = redis.call('TIME')
local now = tonumber(time[1])
local epoch = tonumber(redis.call('GET', KEYS[3]))
if not epoch then
  epoch = math.max(now, tonumber(ARGV[3])) + 1
  redis.call('SET', KEYS[3], epoch)
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {0, epoch}
end
local expires = tonumber(ARGV[1])
local millis = now * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', millis)
if now >= expires or redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[2]) then
  return {-1, epoch}
end
local live = expires * 1000 - millis
redis.call('SET', KEYS[1], '1', 'PX', string.format('%.0f', live))
redis.call('ZADD', KEYS[2], string.format('%.0f', expires * 1000), KEYS[1])
if redis.call('PTTL', KEYS[2]) < live then
  redis.call('PEXPIRE', KEYS[2], string.format('%.0f', live))
end
return {1, epoch}
