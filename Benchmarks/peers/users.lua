-- One user after the other, so that about half of the requests go either way.
local number = 0
request = function()
  number = number % 1000 + 1
  return wrk.format("GET", "/tasks/" .. number, { ["X-User"] = "user-" .. number })
end
