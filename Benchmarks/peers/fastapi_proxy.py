"""What a team writes by hand in Python: a proxy, a split by a hash of the user, a view of three answers, and a list
with its users; FastAPI, and one httpx client for all requests. `BENCH_PORTS` has the ports of the services."""
import asyncio
import json
import os
import zlib
from urllib.parse import quote

import httpx
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

BASES = {name: f"http://127.0.0.1:{port}" for name, port in json.loads(os.environ["BENCH_PORTS"]).items()}
HOP_BY_HOP = {"connection", "host", "content-length", "transfer-encoding"}
client = httpx.AsyncClient(
    trust_env=False, timeout=30,
    limits=httpx.Limits(max_connections=256, max_keepalive_connections=256, keepalive_expiry=3600))
app = FastAPI()


async def read(service, path):
    answer = await client.get(BASES[service] + path)
    if answer.status_code != 200:
        raise HTTPException(502)
    return answer.json()


@app.get("/tasks/{number}/details")
async def view(number: str):
    async def task_and_user():
        task = await read("tasks", f"/tasks/{number}")
        return task, await read("users", f"/users/{quote(task['user_id'], safe='')}")

    (task, user), comments = await asyncio.gather(task_and_user(), read("comments", f"/tasks/{number}/comments"))
    return JSONResponse({"task": task, "user": user, "comments": comments})


@app.get("/list")
async def tasks_with_users():
    found = await read("lists", "/tasks?size=50")
    ids = dict.fromkeys(quote(task["user_id"], safe="") for task in found["items"])
    users = {user["id"]: user for user in (await read("lists", "/users?ids=" + ",".join(ids)))["items"]}
    for task in found["items"]:
        task["user"] = users.get(task["user_id"])
    return JSONResponse(found)


@app.api_route("/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
async def forward(request: Request):
    path = request.url.path
    splits = path.startswith("/tasks/") and zlib.crc32(request.headers.get("x-user", "").encode()) % 100 < 50
    headers = {name: value for name, value in request.headers.items() if name not in HOP_BY_HOP}
    headers["x-forwarded-for"] = request.client.host
    answer = await client.request(
        request.method, BASES["service" if splits else "monolith"] + path, params=request.query_params or None,
        headers=headers, content=await request.body())
    fields = {name: value for name, value in answer.headers.items() if name not in HOP_BY_HOP}
    return Response(answer.content, answer.status_code, fields)
