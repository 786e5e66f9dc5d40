-- One round of one node: it tells what it holds and has settled, and draws what its calls need. Atomic as a whole.
-- Figures are whole and below 2^53, where doubles are exact; what may not be is rounded against the caller.
--
-- KEYS   nodes, ended nodes, then a key for each meter.
-- ARGV   node, number of the round, time in microseconds ('' for the server's), 'leave' or a former name or '',
--        count of meters, count of asks; then the meters, each WIDTH long, and the asks: how many meters, 'begun'
--        or '', and for each of them its place, the least that is needed and what is wanted.
-- flow   'f', amount, ahead, parts, burst, span in microseconds, given back
-- stock  's', amount, ahead, parts, milliseconds to live, 'base' or '', settled, held, used of that, 'forget' or '',
--        base or '', what was settled, and what was known to be spent, when it was asked for; in `parts` what is left is cut among those who want more
-- Reply  time, nodes that are alive; for each meter: granted, left, microseconds until full, whether it lacks a base,
--        what of its sum is or will be on the ledger or -1; for each ask: 0 granted, 1 refused, 2 lacks a base; the place of the meter that decides; microseconds to wait.

local DEAD = 30e6 -- silent for so long, a node is taken for dead
local QUIET = 10e6 -- nobody speaks for so long while a node lives: Redis was away, or its clock was set
local FORGET = 3600e6 -- and is no longer listed
local ENDED_MS = 40 * 86400e3 -- longer than a month's budgets
local LIMB = 32768 -- with spans below 2^37, products stay below 2^52
local HORIZON = 59.9e6 -- promises reach no further: callers are told a tenth of a second more, and a minute at most
local STILL = 2e6 -- by then, all that was spent has been told and is on the ledger
local WIDTH = 13

local function text(number) return string.format('%.0f', number) end

local me, round, way = ARGV[1], tonumber(ARGV[2]), ARGV[4]
local now = tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1e6 + time[2]
end

-- Who is alive ------------------------------------------------------------------------------------------------------
local seen, rounds, live, last = {}, {}, 1, now
local listed = redis.call('HGETALL', KEYS[1])
for i = 1, #listed, 2 do
  local node, at, of = listed[i], listed[i + 1]:match('^(%d+) (%d+)$')
  seen[node], rounds[node] = tonumber(at), of
  if node == me and tonumber(of) >= round then
    return { 'late' } -- a newer round was here already
  end
  last = i == 1 and seen[node] or math.max(last, seen[node])
end
-- All silent, or a clock that was set, says nothing about any one of them: they begin anew to be waited for.
local anew = now - last > QUIET or last > now
for node, at in pairs(seen) do
  if node ~= me then
    if now - at > FORGET then
      redis.call('HDEL', KEYS[1], node)
    elseif anew then
      at = now
      seen[node] = at
      redis.call('HSET', KEYS[1], node, text(at) .. ' ' .. rounds[node])
    end
    if now - at <= DEAD then live = live + 1 end
  end
end
if way == 'leave' then
  redis.call('HDEL', KEYS[1], me)
else
  redis.call('HSET', KEYS[1], me, text(now) .. ' ' .. ARGV[2])
  if way ~= '' then
    -- What this one's former self left in the air is on the ledger by now.
    redis.call('HDEL', KEYS[1], way)
    redis.call('HSET', KEYS[2], way, '1')
    redis.call('PEXPIRE', KEYS[2], ENDED_MS)
    seen[way] = nil
  end
end
redis.call('PEXPIRE', KEYS[1], FORGET / 1000)

-- Whether a node is alive, dead, or has ended with all of its calls on the ledger.
local function state(node, was_dead)
  local at = seen[node]
  if at and now - at <= DEAD and not was_dead then return 'alive' end
  if redis.call('HEXISTS', KEYS[2], node) == 1 then return 'ended' end
  if at or was_dead then return 'dead' end
  -- Nobody knows since when it is silent: it begins to be waited for.
  seen[node] = now
  redis.call('HSET', KEYS[1], node, text(now) .. ' 0')
  return 'alive'
end

-- Flows: what refills -----------------------------------------------------------------------------------------------
-- Tokens and parts of a span that come back in a time shorter than it; exact.
local function refill(amount, span, time)
  local limbs, whole, rest = {}, 0, 0
  repeat
    limbs[#limbs + 1] = math.fmod(amount, LIMB)
    amount = math.floor(amount / LIMB)
  until amount == 0
  for i = #limbs, 1, -1 do
    local sum = rest * LIMB + limbs[i] * time
    rest = math.fmod(sum, span)
    whole = whole * LIMB + (sum - rest) / span
  end
  return whole, rest
end

local function open_flow(key, arg)
  local meter = { key = key, amount = tonumber(ARGV[arg + 1]), ahead = tonumber(ARGV[arg + 2]),
    parts = tonumber(ARGV[arg + 3]), burst = tonumber(ARGV[arg + 4]), span = tonumber(ARGV[arg + 5]),
    granted = 0, is_flow = true }
  local kept = redis.call('HMGET', key, 'whole', 'rest', 'at', 'promised')
  local whole, rest = tonumber(kept[1]) or meter.burst, tonumber(kept[2]) or 0
  local promised = tonumber(kept[4]) or 0
  local time = math.max(0, now - (tonumber(kept[3]) or now))
  local spans = math.floor(time / meter.span)
  local more, part = refill(meter.amount, meter.span, time - spans * meter.span)
  more, rest = more + spans * meter.amount, rest + part
  promised = math.max(0, promised - more - part / meter.span)
  whole = whole + more + tonumber(ARGV[arg + 6])
  if rest >= meter.span then whole, rest = whole + 1, rest - meter.span end
  if whole >= meter.burst then whole, rest = meter.burst, 0 end
  meter.whole, meter.rest, meter.promised = whole, rest, promised
  return meter
end

-- Rounded up, so that who waits so long finds what was missing.
local function wait_for(meter, tokens)
  if meter.amount == 0 then return -1 end
  local missing = tokens - meter.whole - meter.rest / meter.span
  return math.max(0, math.ceil(missing * meter.span / meter.amount) + 1)
end

local function close_flow(meter)
  local full = math.max(0, wait_for(meter, meter.burst))
  redis.call('HSET', meter.key, 'whole', text(meter.whole), 'rest', text(meter.rest), 'at', text(now),
    'promised', string.format('%.17g', meter.promised))
  redis.call('PEXPIRE', meter.key, text(math.ceil((full + 2 * HORIZON) / 1000)))
  return full
end

-- Stocks: what is spent, and what is held -----------------------------------------------------------------------------
local function open_stock(key, arg)
  local meter = { key = key, amount = tonumber(ARGV[arg + 1]), ahead = tonumber(ARGV[arg + 2]),
    parts = tonumber(ARGV[arg + 3]), life = ARGV[arg + 4], settled = tonumber(ARGV[arg + 6]),
    held = tonumber(ARGV[arg + 7]), used = ARGV[arg + 8], granted = 0,
    forget = ARGV[arg + 9] == 'forget' or way == 'leave' }
  local has_base, base, base_settled = ARGV[arg + 5] == 'base', tonumber(ARGV[arg + 10]), tonumber(ARGV[arg + 11])
  local base_over = tonumber(ARGV[arg + 12])
  local kept = redis.call('HGETALL', key)
  -- `more` is what comes to `spent`, `dead` what of both the ledger has not, of nodes that are dead; `doubt` says that
  -- the ledger knows better, and `moved` when a figure that was put right while others went on spending moved last.
  local spent, doubt, mine, more, others, dead, has_ended = nil, nil, nil, 0, 0, 0, false
  for i = 1, #kept, 2 do
    local name, value = kept[i], kept[i + 1]
    if name == 'spent' then
      spent = tonumber(value)
    elseif name == 'doubt' then
      doubt = value
    elseif name == 'moved' then
      meter.moved = tonumber(value)
    elseif name == me then
      mine = value
    else
      -- Held, used of that, settled; and what was counted as spent when it was taken for dead.
      local held, used, settled, gone = value:match('^(%S+) (%S+) (%S+) (%S+)$')
      local is = state(name, gone ~= '-')
      if is == 'alive' then
        others = others + tonumber(held)
      elseif is == 'ended' then
        more = more - (tonumber(gone) or 0)
        has_ended = has_base
        redis.call('HDEL', key, name)
      elseif gone == '-' then
        more, dead = more + tonumber(used), dead + tonumber(used)
        redis.call('HSET', key, name, '0 0 ' .. settled .. ' ' .. used)
      else
        dead = dead + tonumber(gone)
      end
    end
  end

  local known -- how much of what this node has settled is in `spent`
  if mine then
    local settled, gone = mine:match('^%S+ %S+ (%S+) (%S+)$')
    known, more = tonumber(settled), more - (tonumber(gone) or 0)
  elseif meter.settled == 0 or meter.forget then
    known = meter.settled
  end
  if not has_base then
    spent, known, more = 0, meter.settled, 0
  elseif base and (not spent or (base_over >= 0 and (doubt or not known))) then
    if not spent then
      spent, more = 0, base + dead
    elseif doubt == 'still' and others == 0 and meter.held == 0 then
      more, meter.moved = base + dead - spent, nil
      redis.call('HDEL', key, 'moved')
    else
      -- What others spent while the ledger was asked counts twice, rather than not at all, until all is still.
      more, meter.moved = more + math.max(0, base - base_over), now
    end
    known = math.max(known or 0, base_settled)
    redis.call('HDEL', key, 'doubt')
    doubt = nil
  end
  if has_ended then
    redis.call('HSET', key, 'doubt', 'ended')
    doubt = 'ended'
  end
  meter.has_base = has_base
  meter.lacks = has_base and (doubt or not spent or not known)
  if spent and known then
    more = more + math.max(0, meter.settled - known)
    meter.known = math.max(known, meter.settled)
  end
  -- Nothing can be added to what is not known.
  if has_base and spent then redis.call('HINCRBY', key, 'spent', text(more)) end
  meter.spent, meter.more = spent and spent + more - dead or -1, more
  meter.is_still = others == 0 and meter.held == 0
  meter.left = meter.amount - (spent or 0) - more - others - meter.held
  return meter
end

local function close_stock(meter)
  if meter.forget and meter.held + meter.granted == 0 then
    redis.call('HDEL', meter.key, me)
  else
    redis.call('HSET', meter.key, me, text(meter.held + meter.granted) .. ' ' .. meter.used .. ' '
      .. (meter.known and text(meter.known) or '-') .. ' -')
  end
  if meter.moved and (meter.more ~= 0 or meter.granted ~= 0) then redis.call('HSET', meter.key, 'moved', text(now)) end
  redis.call('PEXPIRE', meter.key, meter.life)
end

-- The round -----------------------------------------------------------------------------------------------------------
local arg, meters = 7, {}
for i = 1, tonumber(ARGV[5]) do
  local open = ARGV[arg] == 'f' and open_flow or open_stock
  meters[i] = open(KEYS[i + 2], arg)
  arg = arg + WIDTH
end

local answers = {}
for _ = 1, tonumber(ARGV[6]) do
  local parts, verdict, decides, wait = {}, 0, 0, 0
  local count, has_begun = tonumber(ARGV[arg]), ARGV[arg + 1] == 'begun'
  arg = arg + 1
  for _ = 1, count do
    local part = { at = tonumber(ARGV[arg + 1]), least = tonumber(ARGV[arg + 2]), want = tonumber(ARGV[arg + 3]) }
    parts[#parts + 1] = part
    local meter = meters[part.at]
    if meter.is_flow then
      -- More than the burst passes when the bucket is full, and is paid back.
      part.low = meter.whole < math.min(part.least, meter.burst)
    elseif meter.lacks then
      verdict, decides = 2, part.at
    else
      part.low = meter.left < part.least
    end
    arg = arg + 3
  end
  arg = arg + 1
  -- A budget says no for good. Else the longest wait says when, which calls in the air cannot.
  local heaviest = -1
  for _, part in ipairs(parts) do
    local meter = meters[part.at]
    if part.low and verdict ~= 2 then
      local time = -1
      if meter.moved and meter.is_still and now - meter.moved > STILL then
        -- Before it refuses for good, it is put right to the last.
        redis.call('HSET', meter.key, 'doubt', 'still')
        meter.lacks, verdict, decides = true, 2, part.at
      end
      if meter.is_flow then
        -- Who has begun goes before those who were told to come back: they would cut the answers of all who were let in.
        time = wait_for(meter, math.min(part.least, meter.burst) + (has_begun and 0 or meter.promised))
        if not has_begun then
          meter.promised = math.min(meter.promised + part.least, meter.amount * math.min(1, HORIZON / meter.span))
        end
      end
      local weight = meter.has_base and 2 or meter.is_flow and 1 or 0
      if verdict ~= 2 and (weight > heaviest or (weight == heaviest and time > wait)) then
        heaviest, decides, wait = weight, part.at, time
      end
      if verdict ~= 2 then verdict = 1 end
    end
  end
  if verdict == 0 then
    for _, part in ipairs(parts) do
      local meter = meters[part.at]
      local left = meter.is_flow and meter.whole or meter.left
      local given = math.max(part.least, math.min(part.want, math.floor(left / meter.parts)))
      meter.granted = meter.granted + given
      if meter.is_flow then meter.whole = meter.whole - given else meter.left = meter.left - given end
    end
  end
  answers[#answers + 1], answers[#answers + 2], answers[#answers + 3] = verdict, decides, wait
end

local reply = { now, live }
for _, meter in ipairs(meters) do
  local full = 0
  -- Ahead only out of plenty, and nothing that was promised.
  local plenty = meter.is_flow and (meter.whole - meter.promised) / 16 or meter.left / meter.parts / 4
  local extra = meter.granted > 0 and math.max(0, math.min(meter.ahead, math.floor(plenty))) or 0
  meter.granted = meter.granted + extra
  if meter.is_flow then
    meter.whole = meter.whole - extra
    full = close_flow(meter)
  else
    meter.left = meter.left - extra
    close_stock(meter)
  end
  local left = meter.is_flow and meter.whole or meter.left
  for _, figure in ipairs({ meter.granted, left, full, meter.lacks and 1 or 0, meter.spent or -1 }) do
    reply[#reply + 1] = figure
  end
end
for _, figure in ipairs(answers) do reply[#reply + 1] = figure end
return reply
