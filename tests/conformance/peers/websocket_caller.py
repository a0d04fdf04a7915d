"""Judges WebSocket through the gateway by PyPI's websockets: URL TOKEN CA."""

import base64
import contextlib
import json
import os
import ssl
import sys

from checks import check
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

url, token, ca = sys.argv[1:]
trust = ssl.create_default_context(cafile=ca)
subject = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["sub"]


def call(*, headers=(("authorization", f"Bearer {token}"),), **more):
    return connect(url, ssl=trust, additional_headers=headers, max_size=64 << 20, open_timeout=10, proxy=None, **more)


def echoes(socket, message):
    socket.send(message)
    answer = socket.recv(timeout=20)
    assert answer == message, f"{len(answer)} of {len(message)}"


for what, message in {
    "nothing": "",
    "text": "näher",
    "bytes": bytes(range(256)),
    "125, 126, 65535 and 65536 bytes": None,
    "8 MiB": os.urandom(8 << 20),
}.items():
    for compression in ("deflate", None):
        with check(f"websockets: {what}, compression {compression}"), call(compression=compression) as socket:
            for part in [bytes(size) for size in (125, 126, 65535, 65536)] if message is None else [message]:
                echoes(socket, part)
            names = [extension.name for extension in socket.protocol.extensions]
            assert names == (["permessage-deflate"] if compression else []), names

with check("websockets: a thousand messages in their order"), call() as socket:
    for number in range(1000):
        socket.send(str(number))
    assert [int(socket.recv(timeout=20)) for _ in range(1000)] == list(range(1000))
with check("websockets: a message in fragments"), call() as socket:
    socket.send(iter(["in ", "four ", "", "pieces"]))
    assert socket.recv(timeout=20) == "in four pieces"
with check("websockets: a ping is answered, also between fragments"), call() as socket:

    def pieces():
        yield "before "
        assert socket.ping(b"are you there").wait(20), "no pong"
        yield "and after"

    socket.send(pieces())
    assert socket.recv(timeout=20) == "before and after"
with check("websockets: the protocol that was agreed on"), call(subprotocols=["other", "judge"]) as socket:
    assert socket.subprotocol == "judge", socket.subprotocol
with check("websockets: the app knows who is calling, and by no other name"):
    forged = [("authorization", f"Bearer {token}"), ("x-auth-subject", "somebody")]
    with call(headers=forged) as socket:
        socket.send("who")
        assert socket.recv(timeout=20) == subject
for code in (1000, 1001, 1008, 1011, 3000, 4999):
    with check(f"websockets: the app closes with {code}"), call() as socket:
        socket.send(f"close {code} enough")
        with contextlib.suppress(ConnectionClosed):
            socket.recv(timeout=20)
        assert (socket.close_code, socket.close_reason) == (code, "enough"), (socket.close_code, socket.close_reason)
    with check(f"websockets: the caller closes with {code}"):
        with call() as socket:
            socket.close(code, "caller")
        with call() as socket:
            socket.send(f"closed {code} caller")
            assert socket.recv(timeout=20) == "yes"
for what, headers in {"no token": (), "a bad one": (("authorization", "Bearer x"),)}.items():
    with check(f"websockets: {what} is refused before anything is upgraded"):
        try:
            call(headers=headers).close()
        except InvalidStatus as refusal:
            assert refusal.response.status_code == 401, refusal
        else:
            raise AssertionError("it was let in")
