"""Talks to echo.py through a gateway: URL TOKEN AUTHORITY. Ends with an error when anything is not as it was said."""

import asyncio
import os
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

URL, TOKEN, AUTHORITY = sys.argv[1:]


def to_gateway(token, **more):
    if AUTHORITY:
        more["ssl"] = ssl.create_default_context(cafile=AUTHORITY)
    headers = {"Authorization": f"Bearer {token}"}
    more |= {"subprotocols": ["other", "chat"], "proxy": None, "max_size": 16 << 20}
    return connect(URL, additional_headers=headers, **more)


async def messages_come_back():
    for compression in ["deflate", None]:
        async with to_gateway(TOKEN, compression=compression) as socket:
            assert socket.subprotocol == "chat"
            assert bool(socket.protocol.extensions) == bool(compression)
            await socket.send("who")
            assert (await socket.recv()).startswith("+1")
            for message in ["", "words", "\N{SNOWMAN}" * 1000, b"\x00\xff" * 100, os.urandom(8 << 20)]:
                await socket.send(message)
                assert await socket.recv() == message
            await socket.send([b"in ", b"three ", b"pieces"])
            assert await socket.recv() == b"in three pieces"
            await (await socket.ping("still there?"))


async def many_at_once_each_hear_their_own():
    async def talk(number):
        async with to_gateway(TOKEN) as socket:
            for count in range(20):
                await socket.send(f"{number}: {count}")
                assert await socket.recv() == f"{number}: {count}"

    await asyncio.gather(*(talk(number) for number in range(30)))


async def either_side_closes_with_its_reason():
    for code in [1000, 1001, 1011, 3000, 4999]:
        async with to_gateway(TOKEN) as socket:
            await socket.send(f"close {code}")
            try:
                await socket.recv()
                raise AssertionError("not closed")
            except ConnectionClosed as closed:
                assert (closed.rcvd.code, closed.rcvd.reason) == (code, "as you wish"), closed
        async with to_gateway(TOKEN) as socket:
            await socket.close(code, "enough")
            assert socket.close_code == code, socket.close_code


async def nobody_without_a_token_gets_in():
    try:
        async with to_gateway("nonsense"):
            raise AssertionError("let in")
    except InvalidStatus as refused:
        assert refused.response.status_code == 401
        assert b"invalid_token" in refused.response.body


async def main():
    await messages_come_back()
    await many_at_once_each_hear_their_own()
    await either_side_closes_with_its_reason()
    await nobody_without_a_token_gets_in()


asyncio.run(main())
