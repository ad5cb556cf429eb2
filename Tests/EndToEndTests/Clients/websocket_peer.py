"""WebSocket by the websockets package: "websocket_peer.py serve" prints its port and echoes; "websocket_peer.py talk URL
[CA_FILE]" talks to it through a gateway and prints one JSON object."""

import asyncio
import json
import ssl
import sys

import websockets


async def echo(connection) -> None:
    try:
        async for message in connection:
            await connection.send(message)
    except websockets.ConnectionClosedError:
        pass


async def serve() -> None:
    async with websockets.serve(echo, "127.0.0.1", 0, max_size=None, subprotocols=["chat"]) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


async def talk(url: str, authority: str | None = None) -> None:
    context = ssl.create_default_context(cafile=authority) if authority else None
    messages = ["text", b"\x00\xff" * 10, "x" * 200_000, b"y" * 3_000_000]
    async with websockets.connect(url, ssl=context, max_size=None, subprotocols=["chat"]) as connection:
        echoed = True
        for message in messages:
            await connection.send(message)
            echoed = echoed and await connection.recv() == message
        pong = await connection.ping()
        await asyncio.wait_for(pong, 10)
        await connection.close(4001, "done")
        print(
            json.dumps(
                {"echoed": echoed, "subprotocol": connection.subprotocol, "closed_with": connection.close_code}
            )
        )


asyncio.run(serve() if sys.argv[1] == "serve" else talk(*sys.argv[2:]))
