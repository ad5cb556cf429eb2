-- The view that views.py lets nginx compose: the task and its comments at once, then the user whom the task names. Only
-- the task is read; the parts are joined as text, and the answer leaves with its length, in one piece.
local decode = require("cjson.safe").decode
local capture, capture_multi, escape = ngx.location.capture, ngx.location.capture_multi, ngx.escape_uri
local exit, header, print, var = ngx.exit, ngx.header, ngx.print, ngx.var

local to_task, to_user, to_comments, finish = '{"task":', ',"user":', ',"comments":', "}"
local frame = #to_task + #to_user + #to_comments + #finish

local function is_usable(part)
    return part.status == 200 and not part.truncated
end

return function()
    local id = var[1]
    local task, comments = capture_multi({ { "/-/tasks/" .. id }, { "/-/comments/" .. id .. "/comments" } })
    if not (is_usable(task) and is_usable(comments)) then return exit(502) end
    local read = decode(task.body)
    local user_id = read and read.user_id
    if not user_id then return exit(502) end
    local user = capture("/-/users/" .. escape(user_id))
    if not is_usable(user) then return exit(502) end
    header["Content-Length"] = frame + #task.body + #user.body + #comments.body
    print(to_task, task.body, to_user, user.body, to_comments, comments.body, finish)
end
