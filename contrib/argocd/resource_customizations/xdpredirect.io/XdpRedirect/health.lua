-- Health of an XdpRedirect from its conditions, in the operator's own words.
local hs = {}

local status = obj.status or {}
local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end
local ready = found.Ready

if obj.metadata.deletionTimestamp ~= nil then
  hs.status = "Progressing"
  hs.message = "being deleted: nodes detach"
  if ready ~= nil and ready.reason == "Deleting" then
    hs.message = "being deleted: " .. ready.message
  end
  return hs
end

-- From its creation until the operator has seen it, observedGeneration is -1.
if ready == nil or status.observedGeneration ~= obj.metadata.generation then
  hs.status = "Progressing"
  hs.message = "waiting for the operator to see this generation"
  return hs
end

if ready.status == "False" then
  hs.status = "Degraded"
  hs.message = ready.reason .. ": " .. ready.message
  return hs
end

-- While a change is under way, what is at risk may be what it mends.
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

-- As asked, and yet nothing that new frames can count on.
if ready.reason == "Paused" or ready.reason == "Detached" then
  hs.status = "Suspended"
  hs.message = ready.message
  return hs
end

hs.status = "Healthy"
hs.message = ready.message
return hs
