-- Requests that were signed before, each once: three columns of a file, the signature, the time and the nonce.
local rows = {}
for line in io.lines(os.getenv('SIGNED')) do
  local signature, time, nonce = line:match('(%S+) (%S+) (%S+)')
  rows[#rows + 1] = { signature, time, nonce }
end
local at = 0
local body = string.rep('x', 1024)

request = function()
  at = at % #rows + 1
  local row = rows[at]
  local headers = {
    ['X-API-Signature'] = row[1],
    ['X-Timestamp'] = row[2],
    ['X-Nonce'] = row[3],
    ['Content-Type'] = 'application/octet-stream',
  }
  return wrk.format('POST', '/', headers, body)
end
