"""Judges the way of gRPC through the gateway: HOST:PORT TOKEN CA."""

import pathlib
import queue
import sys

import grpc
from checks import check

address, token, ca = sys.argv[1:]
options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.enable_http_proxy", 0)]
trust = grpc.ssl_channel_credentials(pathlib.Path(ca).read_bytes())
channel = grpc.secure_channel(address, trust, options)

PATIENCE = 20
MIB = 1 << 20


def unary(method, service="Open"):
    return channel.unary_unary(f"/judge.{service}/{method}")


def server_stream(method):
    return channel.unary_stream(f"/judge.Open/{method}")


def status(call, *arguments, **named):
    """How a call ends that fails."""
    try:
        call(*arguments, **{"timeout": PATIENCE, **named})
    except grpc.RpcError as error:
        return error
    raise AssertionError("it did not fail")


def same(found, expected):
    assert found == expected, f"{found!r:.200} instead of {expected!r:.200}"


echo = unary("Echo")
for what, message in {"nothing": b"", "a byte": b"x", "8 MiB": bytes(8 * MIB)}.items():
    with check(f"a message of {what}"):
        same(echo(message, timeout=PATIENCE), message)

with check("metadata reaches the app and comes back, first and last, text and binary"):
    sent = [("x-text", "a, b"), ("x-twice", "1"), ("x-twice", "2"), ("x-raw-bin", b"\x00\xff\x80")]
    _, call = echo.with_call(b"", metadata=sent, timeout=PATIENCE)
    for name in ("x-text", "x-twice", "x-raw-bin"):
        for got in (call.initial_metadata(), call.trailing_metadata()):
            same([pair[1] for pair in got if pair[0] == name], [pair[1] for pair in sent if pair[0] == name])

for code in grpc.StatusCode:
    number = code.value[0]
    if number != 0:
        with check(f"status {number} {code.name} with its message"):
            failed = status(unary("Fail"), b"%d" % number)
            same((failed.code(), failed.details()), (code, "100 % näher\n"))

with check("a method that the app does not know"):
    same(status(unary("Nothing"), b"").code(), grpc.StatusCode.UNIMPLEMENTED)
with check("a thousand messages from the app"):
    same([int(n) for n in server_stream("Count")(b"1000", timeout=PATIENCE)], list(range(1000)))
with check("each message from the app arrives before the next one is sent"):
    got = server_stream("Step")(b"20", timeout=PATIENCE)
    for number, message in enumerate(got):
        same(int(message), number)
        unary("Proceed")(b"", timeout=PATIENCE)
with check("eight messages of a MiB each to the app"):
    add = channel.stream_unary("/judge.Open/Add")
    same(add(iter([bytes(MIB)] * 8), timeout=PATIENCE), b"%d" % (8 * MIB))
with check("a hundred questions and answers in turn"):
    questions = queue.Queue()
    answers = channel.stream_stream("/judge.Open/Answer")(iter(questions.get, None), timeout=PATIENCE)
    for number in range(100):
        questions.put(b"%d" % number)
        same(next(answers), b"answer to %d" % number)
    questions.put(None)
    same(list(answers), [])
with check("twenty calls at once on one connection"):
    calls = [unary("Wait").future(b"", timeout=PATIENCE) for _ in range(20)]
    same(echo(b"beside them", timeout=PATIENCE), b"beside them")
    for call in calls:
        call.cancel()
    for _ in calls:
        same(unary("WasCancelled")(b"", timeout=PATIENCE), b"yes")

with check("the app knows the deadline"):
    left = float(unary("Deadline")(b"", timeout=7))
    assert 3 < left <= 7.1, left
with check("a deadline that passes is one for the caller and for the app"):
    same(status(unary("Wait"), b"", timeout=0.5).code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    same(unary("WasCancelled")(b"", timeout=PATIENCE), b"yes")
with check("a stream that is cancelled ends in the app"):
    stream = server_stream("Endless")(b"", timeout=PATIENCE)
    same(next(stream), b"more")
    stream.cancel()
    same(unary("WasCancelled")(b"", timeout=PATIENCE), b"yes")

with check("no token: UNAUTHENTICATED"):
    same(status(unary("Echo", "Closed"), b"").code(), grpc.StatusCode.UNAUTHENTICATED)
with check("a bad token: UNAUTHENTICATED"):
    bearer = [("authorization", "Bearer x")]
    same(status(unary("Echo", "Closed"), b"", metadata=bearer).code(), grpc.StatusCode.UNAUTHENTICATED)
with check("a token: the app learns who is calling, and what the caller says of that is not believed"):
    bearer = [("authorization", f"Bearer {token}"), ("x-auth-subject", "somebody else")]
    _, call = unary("Echo", "Closed").with_call(b"", metadata=bearer, timeout=PATIENCE)
    seen = [value for name, value in call.trailing_metadata() if name == "x-auth-subject"]
    assert len(seen) == 1 and seen[0] != "somebody else", seen
with check("no route: UNIMPLEMENTED"):
    same(status(unary("Echo", "Elsewhere"), b"").code(), grpc.StatusCode.UNIMPLEMENTED)
with check("no app: UNAVAILABLE"):
    same(status(unary("Echo", "Gone"), b"").code(), grpc.StatusCode.UNAVAILABLE)
with check("an app that is too slow for the route: DEADLINE_EXCEEDED"):
    same(status(unary("Wait", "Slow"), b"").code(), grpc.StatusCode.DEADLINE_EXCEEDED)
with check("a message larger than the route takes: RESOURCE_EXHAUSTED"):
    same(status(echo, bytes(11 * MIB)).code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
