-- One sorted set has all claims by their ends and, as negative scores, the epoch and the latest second seen: none can be lost without the others.
local function read(name)
  return -tonumber(redis.call('ZSCORE', KEYS[3], name) or 0)
end
local epoch, clock = read('epoch'), read('clock')
local time = tonumber(redis.call('TIME')[1])
local now = math.max(time, clock)
if epoch == 0 then
  epoch = math.max(now, tonumber(ARGV[3])) + 1
  redis.call('ZADD', KEYS[3], -epoch, 'epoch')
end
if now > clock then
  redis.call('ZADD', KEYS[3], -now, 'clock')
  redis.call('ZREMRANGEBYSCORE', KEYS[3], 0, now)
end
if redis.call('ZSCORE', KEYS[3], KEYS[1]) then
  return {0, epoch}
end
local expires = tonumber(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], 0, now)
if now >= expires or redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[2]) then
  return {-1, epoch}
end
redis.call('ZADD', KEYS[3], expires, KEYS[1])
redis.call('ZADD', KEYS[2], expires, KEYS[1])
if redis.call('TTL', KEYS[2]) < expires - time then
  redis.call('EXPIRE', KEYS[2], expires - time)
end
return {1, epoch}
