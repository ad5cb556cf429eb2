-- Ten kibibytes of JSON.
wrk.method = "POST"
wrk.body = '"' .. string.rep("x", 10238) .. '"'
wrk.headers["Content-Type"] = "application/json"
