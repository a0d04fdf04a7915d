"""The app of the suite `grpc`: methods that say what they see and do as they are told. Says its port."""

import concurrent.futures
import threading

import grpc

# What calls that were cancelled leave behind, and what a stream waits for.
cancelled, go_on = threading.Semaphore(0), threading.Semaphore(0)


def echo(request, context):
    """The same, with all metadata whose name begins with "x-" before it and after it."""
    seen = tuple(pair for pair in context.invocation_metadata() if pair.key.startswith("x-"))
    context.send_initial_metadata(seen)
    context.set_trailing_metadata(seen)
    return request


def fail(request, context):
    """Ends with this status, and a message that has to be encoded."""
    code = next(code for code in grpc.StatusCode if code.value[0] == int(request))
    context.abort(code, "100 % näher\n")


def deadline(_, context):
    """The seconds that are left, or nothing."""
    left = context.time_remaining()
    return b"" if left is None else b"%f" % left


def wait(_, context):
    """Lasts until the caller has gone."""
    context.add_callback(cancelled.release)
    gone = threading.Event()
    context.add_callback(gone.set)
    gone.wait(30)
    return b""


def was_cancelled(_, context):
    """Waits until a call was cancelled."""
    return b"yes" if cancelled.acquire(timeout=5) else b"no"


def proceed(_, context):
    go_on.release()
    return b""


def count(request, _):
    """So many numbers."""
    for number in range(int(request)):
        yield b"%d" % number


def step(request, _):
    """So many numbers, each but the first one only after `Proceed`."""
    for number in range(int(request)):
        yield b"%d" % number
        go_on.acquire(timeout=10)


def endless(_, context):
    context.add_callback(cancelled.release)
    while context.is_active():
        yield b"more"
        go_on.acquire(timeout=0.05)


def add(requests, _):
    return b"%d" % sum(len(request) for request in requests)


def answer(requests, _):
    for request in requests:
        yield b"answer to " + request


def main():
    unary, from_server = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
    methods = {
        "Echo": unary(echo),
        "Fail": unary(fail),
        "Deadline": unary(deadline),
        "Wait": unary(wait),
        "WasCancelled": unary(was_cancelled),
        "Proceed": unary(proceed),
        "Count": from_server(count),
        "Step": from_server(step),
        "Endless": from_server(endless),
        "Add": grpc.stream_unary_rpc_method_handler(add),
        "Answer": grpc.stream_stream_rpc_method_handler(answer),
    }
    pool = concurrent.futures.ThreadPoolExecutor(32)
    options = [("grpc.max_receive_message_length", -1)]
    server = grpc.server(pool, options=options)
    for service in ("judge.Open", "judge.Slow", "judge.Closed"):
        handler = grpc.method_handlers_generic_handler(service, methods)
        server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print("port", port, flush=True)
    server.wait_for_termination()


main()
