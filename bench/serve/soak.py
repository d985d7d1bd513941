# Minutes of mixed traffic, a fifth of it hostile, with a question in between whose answer must stay what it was. In: a
# port, the server's process, seconds. Out: counts, and how memory and open files went.

import asyncio
import contextlib
import random
import time

import client
from client import Connection, Failed, ask, question
from scenarios import CHAT, HOST, idle

HOSTILE_BODIES = [b"", b"{", b"[" * 5000, b'{"messages":[]}', b'{"messages":[{"role":"user","content":"Hi"}],"n":1000000000}',
                  b'{"messages":[{"role":"user","content":"' + b"a " * 40000 + b'"}]}',
                  b'{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}',
                  b'{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://127.0.0.1:1/"}}]}]}',
                  b'{"messages":[{"role":"user","content":"Hi"}],"response_format":{"type":"json_schema","json_schema":{"schema":{"$ref":"#/nowhere"}}}}']
HOSTILE_HEADS = [b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                 b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n",
                 b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 500 + b"\r\n",
                 b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"]


async def hostile(port, chance):
    connection = await Connection(HOST, port).open()
    try:
        if chance.random() < 0.5:
            connection.writer.write(chance.choice(HOSTILE_HEADS))
            with contextlib.suppress(asyncio.TimeoutError, ConnectionError):
                await asyncio.wait_for(connection.reader.read(100), 2)
            return None
        with contextlib.suppress(Failed):
            status = (await connection.ask("POST", CHAT, chance.choice(HOSTILE_BODIES))).status
            assert 400 <= status < 500 and status not in (408, 409), status
            return status
    except ConnectionError:
        return None
    finally:
        connection.close()


async def good(port, chance):
    pictures = [client.png(64, 48, chance.randrange(1000))] if chance.random() < 0.3 else ()
    body = question("What is it?", pictures, max_tokens=chance.randrange(1, 32), stream=chance.random() < 0.5)
    if chance.random() < 0.1:
        connection = await Connection(HOST, port).open()
        await connection.send("POST", CHAT, body)
        await asyncio.sleep(chance.uniform(0, 0.05))
        connection.close()
        return None
    return (await ask(HOST, port, "POST", CHAT, body)).status


async def soak(port, process, seconds, together=8, seed=1):
    chance = random.Random(seed)
    canary = question("What is in the picture?", [client.png(128, 96, 7)], max_tokens=8, temperature=0)
    said = (await ask(HOST, port, "POST", CHAT, canary)).json()["choices"][0]["message"]["content"]
    counts = {"good": 0, "hostile": 0, "canary": 0}
    samples = []
    end = time.monotonic() + seconds

    async def one():
        while time.monotonic() < end:
            if chance.random() < 0.2:
                await hostile(port, chance)
                counts["hostile"] += 1
            else:
                status = await good(port, chance)
                assert status in (None, 200, 429), status
                counts["good"] += 1
            if (counts["good"] + counts["hostile"]) % 100 == 0:
                answer = await ask(HOST, port, "POST", CHAT, canary)
                if answer.status == 200:
                    assert answer.json()["choices"][0]["message"]["content"] == said
                    counts["canary"] += 1

    async def sample():
        while time.monotonic() < end:
            samples.append((round(time.monotonic() - end + seconds, 1), *client.resident(process.pid)))
            await asyncio.sleep(max(1.0, seconds / 60))

    await asyncio.gather(sample(), *(one() for _ in range(together)))
    await idle(port)
    later = [memory for at, memory, _ in samples if at >= seconds / 2]
    first = [memory for at, memory, _ in samples if seconds / 4 <= at < seconds / 2]
    return {"minutes": round(seconds / 60, 1), **counts, "memory_mib": [samples[0][1], samples[len(samples) // 2][1], samples[-1][1]],
            "growth_of_second_half_mib": round(sum(later) / len(later) - sum(first) / len(first), 2) if first and later else None,
            "open_files": [samples[0][2], samples[-1][2]]}
