-- One user after the other, so that about half of the requests go either way; a path that ends in a number ends in that
-- of the user. All are made before, so that the load is no heavier than without.
local requests, number = {}, 0
init = function()
  for user = 1, 1000 do
    requests[user] = wrk.format("GET", (wrk.path:gsub("/%d+$", "/" .. user)), { ["X-User"] = "user-" .. user })
  end
end
request = function()
  number = number % 1000 + 1
  return requests[number]
end
