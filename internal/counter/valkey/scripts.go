package valkey

import (
	"crypto/sha1"
	"encoding/hex"
)

// A script is run by its hash, and its text names the server process that it is for:
// a server that was restarted, or another one that took its place, does not know the
// hash. So nothing is ever asked of a server that may have lost data before the node
// knows it. (The scripts are loaded with EVAL, which replicas do not see.)
type script struct {
	text, sha string
}

func newScript(body, run string) script {
	text := "local RUN = '" + run + "'\n" + body
	sum := sha1.Sum([]byte(text))
	return script{text: text, sha: hex.EncodeToString(sum[:])}
}

// rateScript settles one node's lease of one bucket.
//
// The bucket holds t tokens at server time at (microseconds). It refills by the
// server's clock, but by no more than the asking node measured since its own last ask:
// a clock that leaps ahead gives nothing away, and one that goes back costs its leap
// at most once. Nodes share what is left by their recent demand. Tokens that nodes owe
// make t negative, by no more than the burst and a second's worth: more no node can
// have given out between two asks, so nothing owed is forgiven.
//
// KEYS[1] bucket. ARGV: node, rate, burst, want, back, debt, demand, since (µs, -1 on
// the first ask), known (tokens, -1 when nothing is doubtful).
// Answers {tokens granted, tokens left}.
const rateScript = `
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local node, rate, burst = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local want, back, debt = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local demand, since, known = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

local t, total = nil, demand
local at = now
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local name, value = fields[i], fields[i + 1]
  if name == 't' then t = tonumber(value)
  elseif name == 'at' then at = tonumber(value)
  elseif name ~= 'd:' .. node then
    local d, seen = string.match(value, '^(%S+) (%S+)$')
    if now - tonumber(seen) > 2000000 then
      redis.call('HDEL', KEYS[1], name)
    else
      total = total + tonumber(d)
    end
  end
end

local passed = math.max(0, now - at)
if since >= 0 then passed = math.min(passed, since) end
if t == nil then
  t = burst
  if since >= 0 then t = math.min(burst, rate * since / 1000000) end
else
  t = math.min(burst, t + rate * passed / 1000000)
end
if known >= 0 then t = math.min(t, known) end
t = math.max(math.min(burst, t + back) - debt, -burst - rate)

local granted = 0
if want >= 1 and t >= 1 then
  local part = t
  if total > demand then part = t * math.max(demand, 1) / (total + math.max(0, 1 - demand)) end
  granted = math.min(want, math.max(1, math.floor(part)))
  t = t - granted
end

redis.call('HSET', KEYS[1], 't', string.format('%.6f', t), 'at', string.format('%d', now),
  'd:' .. node, string.format('%.3f %d', demand, now))
local full = 60
if rate > 0 then full = full + math.min((burst - t) / rate, 1e9) else full = 1e9 end
redis.call('EXPIRE', KEYS[1], string.format('%d', full))
return {string.format('%d', granted), string.format('%.6f', t)}
`

// quotaScript settles one node's part of one period of a quota.
//
// The hash has the units taken by each node (n:NODE), the serial of its last ask
// (s:NODE), what is added to the limit (extra, extraAt) and the server process that it
// was filled for (run). It grants only what is left after all nodes' parts. A process
// that has not been told the ledger's state of the quota grants nothing.
//
// KEYS[1] period. ARGV: node, serial, taken, want, limit, end (Unix seconds), nodes,
// remaining (-1: leave), refill (number of pairs, -1: none), refill extra, refill
// extraAt, then pairs of node and units.
// Answers {outcome, granted, left, extra, extraAt}: outcome 0 done, 1 unknown, 2 stale.
const quotaScript = `
local k, node, serial, taken = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local want, limit, stop = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local nodes, remaining, refill = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

if redis.call('HGET', k, 'run') ~= RUN and refill < 0 then
  return {'1', '0', '0', '0', '0'}
end
local last = tonumber(redis.call('HGET', k, 's:' .. node) or '-1')
if last >= serial then
  return {'2', '0', '0', '0', '0'}
end
if refill >= 0 then
  for i = 0, refill - 1 do
    local name, units = 'n:' .. ARGV[12 + 2 * i], tonumber(ARGV[13 + 2 * i])
    if tonumber(redis.call('HGET', k, name) or '0') < units then
      redis.call('HSET', k, name, string.format('%d', units))
    end
  end
  if (redis.call('HGET', k, 'extraAt') or '0') + 0 < tonumber(ARGV[11]) then
    redis.call('HSET', k, 'extra', ARGV[10], 'extraAt', ARGV[11])
  end
  redis.call('HSET', k, 'run', RUN)
end
redis.call('HSET', k, 's:' .. node, ARGV[2], 'n:' .. node, ARGV[3])

local sum, extra, extraAt = 0, 0, '0'
local fields = redis.call('HGETALL', k)
for i = 1, #fields, 2 do
  local name, value = fields[i], fields[i + 1]
  if string.sub(name, 1, 2) == 'n:' then sum = sum + value
  elseif name == 'extra' then extra = tonumber(value)
  elseif name == 'extraAt' then extraAt = value end
end
if remaining >= 0 then
  local now = redis.call('TIME')
  extra = remaining + sum - limit
  extraAt = string.format('%d%06d000', now[1], now[2])
  if tonumber(extraAt) <= tonumber(redis.call('HGET', k, 'extraAt') or '0') then
    extraAt = string.format('%.0f', tonumber(redis.call('HGET', k, 'extraAt')) + 1000)
  end
  redis.call('HSET', k, 'extra', string.format('%d', extra), 'extraAt', extraAt)
end

local left = math.max(0, limit + extra) - sum
local granted = 0
if want >= 1 and left >= 1 then
  granted = math.min(want, left)
  if nodes > 1 then granted = math.min(granted, math.max(1, math.floor(left / (2 * nodes)))) end
  redis.call('HSET', k, 'n:' .. node, string.format('%d', taken + granted))
end
redis.call('EXPIREAT', k, string.format('%d', stop + 86400))
return {'0', string.format('%d', granted), string.format('%d', left - granted), string.format('%d', extra), extraAt}
`

// beatScript notes that a node is there and answers how many are.
//
// KEYS[1] set of nodes. ARGV: node, seconds after which a silent node is not counted;
// 0 removes the node.
const beatScript = `
local now = redis.call('TIME')
now = tonumber(now[1]) + tonumber(now[2]) / 1000000
local within = tonumber(ARGV[2])
if within == 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return 0
end
redis.call('ZADD', KEYS[1], string.format('%.6f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.6f', now - within))
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('(%.6f', now + within), '+inf')
redis.call('EXPIRE', KEYS[1], 60)
return redis.call('ZCARD', KEYS[1])
`
