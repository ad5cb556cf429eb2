"""Requests by httpx (on the h2 package): httpx_client.py URL CA_FILE. Prints one JSON object."""

import asyncio
import json
import sys

import httpx


async def main(url: str, authority: str) -> None:
    async with httpx.AsyncClient(http2=True, verify=authority, timeout=20) as client:
        first = await client.get(url + "/first", headers={"X-Client": "httpx"})
        many = await asyncio.gather(*(client.get(f"{url}/many/{number}") for number in range(100)))
        body = bytes(number % 251 for number in range(300_000))
        echoed = await client.post(url + "/echo", content=body)
        # A body of unknown length.
        async def pieces():
            for start in range(0, len(body), 10_000):
                yield body[start : start + 10_000]
        streamed = await client.post(url + "/echo", content=pieces())
        print(
            json.dumps(
                {
                    "versions": sorted({answer.http_version for answer in [first, echoed, streamed, *many]}),
                    "statuses": sorted({answer.status_code for answer in [first, echoed, streamed, *many]}),
                    "paths": [answer.text for answer in many] == [f"/many/{number}" for number in range(100)],
                    "echoed": echoed.content == body and streamed.content == body,
                }
            )
        )


asyncio.run(main(*sys.argv[1:]))
