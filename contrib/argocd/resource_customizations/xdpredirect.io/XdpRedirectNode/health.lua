-- Health of an XdpRedirectNode from its conditions, in the agent's own words.
local hs = {}

local status = obj.status or {}
local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end
local ready = found.Ready

if ready == nil or status.observedRevision ~= obj.spec.revision then
  hs.status = "Progressing"
  hs.message = "waiting for the node's agent to act on this revision"
  return hs
end

if ready.status == "False" then
  hs.status = "Degraded"
  hs.message = ready.reason .. ": " .. ready.message
  return hs
end

if ready.status ~= "True" then
  hs.status = "Progressing"
  hs.message = ready.message
  return hs
end

if found.Degraded ~= nil and found.Degraded.status == "True" then
  hs.status = "Degraded"
  hs.message = found.Degraded.reason .. ": " .. found.Degraded.message
  return hs
end

hs.status = "Healthy"
hs.message = ready.message
return hs
