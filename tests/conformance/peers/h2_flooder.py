"""Judges what floods on one HTTP/2 connection do, by frames that hyper's authors did not write: HOST:PORT CA PROCESS."""

import contextlib
import http.client
import os
import pathlib
import socket
import ssl
import sys
import threading
import time

from checks import check
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

address, ca, process = sys.argv[1:]
host, port = address.split(":")
trust = ssl.create_default_context(cafile=ca)
trust_h2 = ssl.create_default_context(cafile=ca)
trust_h2.set_alpn_protocols(["h2"])

# A flood must have been stopped by then, may have grown the process by so much, and others may wait so long.
STOPPED, MEMORY, PATIENCE = 1.0, 32 << 20, 2.0
LONGEST = 3.0
MAX_WINDOW = 2**31 - 1


class Connection:
    """One that floods. It reads all the while, so that nothing is stopped by the sender's own fault."""

    def __init__(self, **settings):
        plain = socket.create_connection((host, int(port)), 5)
        self.socket = trust_h2.wrap_socket(plain, server_hostname=host)
        self.socket.settimeout(LONGEST)
        self.encoder, self.stream, self.sent = Encoder(), -1, 0
        self.began, self.ended = time.monotonic(), None
        threading.Thread(target=self.read, daemon=True).start()
        self.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", SettingsFrame(0, settings=settings.get("own", {})))

    def read(self):
        with contextlib.suppress(OSError):
            while self.socket.recv(65536):
                pass
        self.ended = time.monotonic()

    def send(self, *frames):
        data = b"".join(frame if isinstance(frame, bytes) else frame.serialize() for frame in frames)
        self.socket.sendall(data)
        self.sent += len(frames)

    def open(self, method="GET", more=(), flags=("END_HEADERS",)):
        """The head of a request on a new stream."""
        self.stream += 2
        pseudo = [(":method", method), (":scheme", "https"), (":path", "/"), (":authority", host)]
        frame = HeadersFrame(self.stream, self.encoder.encode([*pseudo, *more]))
        for flag in flags:
            frame.flags.add(flag)
        return frame

    def flood(self, wave):
        """Sends one wave after the other until the other side has had enough: the seconds that took, or nothing."""
        with contextlib.suppress(OSError):
            while self.ended is None and time.monotonic() - self.began < LONGEST:
                wave(self)
        while self.ended is None and time.monotonic() - self.began < LONGEST:
            time.sleep(0.01)
        return self.ended and self.ended - self.began


def rapid_reset(it):
    for _ in range(10):
        request = it.open(flags=("END_HEADERS", "END_STREAM"))
        it.send(request, RstStreamFrame(it.stream, error_code=8))


def overflown_windows(it):
    for _ in range(10):
        it.send(it.open("POST"), WindowUpdateFrame(it.stream, window_increment=MAX_WINDOW))


def windows_that_grow_by_nothing(it):
    for _ in range(10):
        request = it.open("POST")
        it.send(request, b"\x00\x00\x04\x08\x00" + it.stream.to_bytes(4, "big") + bytes(4))


def continuation(it):
    if it.stream < 0:
        it.send(it.open(flags=("END_STREAM",)))
    fields = [(f"x-{it.sent}-{n}", "a" * 100) for n in range(10)]
    it.send(ContinuationFrame(it.stream, it.encoder.encode(fields)))


def empty_continuation(it):
    if it.stream < 0:
        it.send(it.open(flags=("END_STREAM",)))
    it.send(*[ContinuationFrame(it.stream)] * 50)


def ping(it):
    it.send(*[PingFrame(0, b"12345678")] * 50)


def settings(it):
    it.send(*[SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 65535})] * 50)


def empty_data(it):
    if it.stream < 0:
        it.send(it.open("POST"))
    it.send(*[DataFrame(it.stream)] * 50)


def priority(it):
    it.send(*[PriorityFrame(1, depends_on=0, stream_weight=1)] * 50)


def unknown(it):
    it.send(*[b"\x00\x00\x08\xfa\x00\x00\x00\x00\x00ABCDEFGH"] * 50)


def closed_windows(it):
    it.send(it.open(flags=("END_HEADERS", "END_STREAM")))


def compressed_bombs(it):
    it.send(it.open(more=[("x-bomb", "A" * 3000)] * 1000, flags=("END_HEADERS", "END_STREAM")))


def endless_requests(it):
    it.send(it.open("POST"))


# What is to be closed; and what may stay open, as long as it has no effect.
FLOODS = [
    rapid_reset,
    overflown_windows,
    windows_that_grow_by_nothing,
    continuation,
    empty_continuation,
    ping,
    settings,
    empty_data,
    priority,
    unknown,
]
STALLS = {closed_windows: {SettingsFrame.INITIAL_WINDOW_SIZE: 0}, compressed_bombs: {}, endless_requests: {}}


class Honest(threading.Thread):
    """Somebody else, who asks ten times a second."""

    def __init__(self):
        super().__init__(daemon=True)
        self.enough, self.longest, self.failed = threading.Event(), 0.0, 0
        self.start()

    def run(self):
        while not self.enough.wait(0.1):
            asked_at = time.monotonic()
            try:
                client = http.client.HTTPSConnection(host, int(port), timeout=10, context=trust)
                client.request("GET", "/")
                self.failed += client.getresponse().status != 200
                client.close()
            except OSError:
                self.failed += 1
            self.longest = max(self.longest, time.monotonic() - asked_at)


def used():
    """Seconds of CPU and bytes of memory of the gateway."""
    stat = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK"), int(stat[21]) * os.sysconf("SC_PAGE_SIZE")


def judge(flood, own, must_close):
    honest = Honest()
    cpu, memory = used()
    connection = Connection(own=own)
    took = connection.flood(flood)
    time.sleep(0.3)
    more_cpu, more_memory = (after - before for after, before in zip(used(), (cpu, memory)))
    honest.enough.set()
    honest.join()
    connection.socket.close()
    end = "open" if took is None else f"closed after {took * 1000:.0f} ms"
    figures = f"{connection.sent} frames, {end}, CPU {more_cpu:.2f} s, memory {more_memory / (1 << 20):+.1f} MiB"
    with check(f"{flood.__name__.replace('_', ' ')}: {figures}, others at most {honest.longest * 1000:.0f} ms"):
        assert honest.failed == 0, f"{honest.failed} others were not served"
        assert honest.longest < PATIENCE, "others had to wait"
        assert more_memory < MEMORY, "it grows"
        assert not must_close or (took is not None and took < STOPPED), "it was not stopped within a second"


for flood in FLOODS:
    judge(flood, {}, must_close=True)
for flood, own in STALLS.items():
    judge(flood, own, must_close=False)
