"""An app that echoes messages, by PyPI's websockets. "close CODE REASON" makes it close so, "who" say who is calling,
"closed CODE REASON" waits until some connection has ended so. Says its port."""

import asyncio

from websockets.asyncio.server import serve

ended = set()


async def answer(socket):
    try:
        async for message in socket:
            await obey(socket, message)
    finally:
        ended.add((str(socket.close_code), socket.close_reason))


async def obey(socket, message):
    word, *more = message.split(" ") if isinstance(message, str) else [None]
    if word == "close":
        await socket.close(int(more[0]), more[1])
    elif word == "who":
        await socket.send(str(socket.request.headers.get("x-auth-subject")))
    elif word == "closed":
        async with asyncio.timeout(10):
            while tuple(more) not in ended:
                await asyncio.sleep(0.01)
        await socket.send("yes")
    else:
        await socket.send(message)


def choose(_, offered):
    return "judge" if "judge" in offered else None


async def main():
    async with serve(answer, "127.0.0.1", 0, max_size=64 << 20, select_subprotocol=choose) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
