-- For wrk: posts the bodies of $BODIES ("<length>\n<bytes>", repeated) in turn, with the bearer key $KEY, and writes what
-- it saw to $OUT as JSON.
local posts, turn = {}, 0

function init()
  local file = assert(io.open(os.getenv("BODIES"), "rb"))
  local headers = { ["Content-Type"] = os.getenv("CONTENT_TYPE"), ["Authorization"] = "Bearer " .. os.getenv("KEY") }
  for line in function() return file:read("*l") end do
    posts[#posts + 1] = wrk.format("POST", nil, headers, file:read(tonumber(line)))
  end
  file:close()
end

function request()
  turn = turn % #posts + 1
  return posts[turn]
end

function done(summary, latency)
  local e = summary.errors
  local file = assert(io.open(os.getenv("OUT"), "w"))
  file:write(string.format('{"requests": %d, "us": %d, "p50": %d, "p99": %d, "refused": %d, "errors": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), e.status,
    e.connect + e.read + e.write + e.timeout))
  file:close()
end
