# A small HTTP client for load: one request a connection or several, answers and streams with the time of each event.
# In: an address, bodies. Out: status, body, times. Nothing but the standard library, so that it costs little itself.

import asyncio
import base64
import json
import pathlib
import random
import re
import struct
import time
import zlib


class Failed(Exception):
    """A connection that was reset or closed before the answer was whole."""


def png(width, height, seed):
    """-> bytes: a picture of coloured boxes, different for each seed."""
    chance = random.Random(seed)
    rows = [bytearray([chance.randrange(256) for _ in range(3)] * width) for _ in range(1)] * height
    rows = [bytearray(row) for row in rows]
    for _ in range(40):
        x, y = chance.randrange(width - 8), chance.randrange(height - 8)
        w, h = chance.randrange(4, width // 3), chance.randrange(4, height // 3)
        colour = bytes(chance.randrange(256) for _ in range(3))
        for row in rows[y:y + h]:
            end = min(width, x + w)
            row[3 * x:3 * end] = colour * (end - x)
    raw = b"".join(b"\0" + bytes(row) for row in rows)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(raw, 1)) + chunk(b"IEND", b""))


def question(text, pictures=(), **fields):
    """-> bytes: the body of a chat completion."""
    content = [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(p).decode()}} for p in pictures]
    content.append({"type": "text", "text": text})
    return json.dumps({"messages": [{"role": "user", "content": content if pictures else text}], **fields}).encode()


class Answer:
    """status, headers, body; at: seconds of each event of a stream since the request was sent; whole: seconds in all."""

    def __init__(self):
        self.status, self.headers, self.body, self.at, self.whole = 0, {}, b"", [], 0.0

    def json(self):
        return json.loads(self.body)

    def events(self):
        lines = [line[6:] for line in self.body.decode().split("\n") if line.startswith("data: ")]
        return [json.loads(line) for line in lines if line != "[DONE]"]

    def tokens(self):
        """As usage counts them, else events with text."""
        counts = [event["usage"]["completion_tokens"] for event in self.events() if event.get("usage")]
        return counts[-1] if counts else len(self.at)

    def text(self):
        deltas = [choice.get("delta", {}).get("content") or "" for event in self.events() for choice in event.get("choices", [])]
        return "".join(deltas)


class Connection:
    def __init__(self, host, port):
        self.host, self.port, self.reader, self.writer = host, port, None, None

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port, limit=1 << 22)
        return self

    def close(self):
        if self.writer:
            self.writer.close()

    async def send(self, method, path, body=b"", headers=()):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        if method == "POST":
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        self.writer.write("\r\n".join([*lines, *headers, "", ""]).encode() + body)
        await self.writer.drain()

    async def read(self, begin, leave_after=None):
        """The answer; leave_after: seconds until the client leaves."""
        answer = Answer()
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            answer.status = int(lines[0].split(" ")[1])
            answer.headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines[1:] if line)}
            if answer.headers.get("transfer-encoding") == "chunked":
                while True:
                    size = int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16)
                    data = await self.reader.readexactly(size + 2)
                    if size == 0:
                        break
                    answer.body += data[:-2]
                    if re.search(rb'"content":"[^"]', data):  # the first chunk has a role, and no text
                        answer.at.append(time.monotonic() - begin)
            else:
                answer.body = await self.reader.readexactly(int(answer.headers.get("content-length", 0)))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Failed(repr(error)) from error
        answer.whole = time.monotonic() - begin
        return answer

    async def ask(self, method, path, body=b"", headers=()):
        begin = time.monotonic()
        await self.send(method, path, body, headers)
        return await self.read(begin)


async def ask(host, port, method, path, body=b"", headers=()):
    connection = await Connection(host, port).open()
    try:
        return await connection.ask(method, path, body, headers)
    finally:
        connection.close()


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(part * len(values)))] if values else None


def spread(values):
    """-> {p50, p95, p99, max} in milliseconds, of seconds."""
    return {name: None if value is None else round(1000 * value, 1)
            for name, value in (("p50", percentile(values, 0.5)), ("p95", percentile(values, 0.95)),
                                ("p99", percentile(values, 0.99)), ("max", max(values, default=None)))}


def resident(pid):
    """-> MiB of a process, and its open files."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return round(kib / 1024, 1), len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))
