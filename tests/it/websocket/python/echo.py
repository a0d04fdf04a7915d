"""Says everything back, whole messages as whole ones; says its port first. "close NUMBER" closes with that number."""

import asyncio

from websockets.asyncio.server import serve


async def echo(socket):
    async for message in socket:
        if isinstance(message, str) and message.startswith("close "):
            await socket.close(int(message.split()[1]), "as you wish")
        elif message == "who":
            await socket.send(socket.request.headers["X-Auth-Phone"])
        else:
            await socket.send(message)


def page(connection, request):
    """Anything but the WebSocket is a page to open one from."""
    if request.path != "/live":
        return connection.respond(200, "a page")


async def main():
    options = {"subprotocols": ["chat"], "max_size": 16 << 20, "process_request": page}
    async with serve(echo, "127.0.0.1", 0, **options) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
