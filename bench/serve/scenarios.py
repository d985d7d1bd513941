# What is done to a server, each with what must hold. In: a host, a port, the server's process. Out: a dict of figures;
# AssertionError when something was lost, reset, or answered 5xx although the request was good.

import asyncio
import contextlib
import random
import signal
import socket
import time

import client
from client import Connection, Failed, ask, question, spread

HOST = "127.0.0.1"
CHAT = "/v1/chat/completions"


async def health_watch(port, stop, times):
    """Asks /health on a connection of its own, ten times a second."""
    connection = await Connection(HOST, port).open()
    while not stop.is_set():
        times.append((await connection.ask("GET", "/health")).whole)
        await asyncio.sleep(0.1)
    connection.close()


@contextlib.asynccontextmanager
async def watched(port):
    stop, times = asyncio.Event(), []
    task = asyncio.create_task(health_watch(port, stop, times))
    yield times
    stop.set()
    await task


async def metric(port, name):
    text = (await ask(HOST, port, "GET", "/metrics")).body.decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name)


async def stage_seconds(port):
    """What galago's stages took in all answers so far: {stage: seconds}"""
    lines = (await ask(HOST, port, "GET", "/metrics")).body.decode().splitlines()
    stages = [line for line in lines if line.startswith("galago_stage_seconds_total{")]
    return {line.split('stage="')[1].split('"')[0]: round(float(line.split()[-1]), 2) for line in stages}


async def idle(port, seconds=60):
    """Until nothing runs and nothing waits; -> seconds."""
    begin = time.monotonic()
    while await metric(port, "galago_requests_running") + await metric(port, "galago_requests_waiting") > 0:
        assert time.monotonic() - begin < seconds, "requests are still running"
        await asyncio.sleep(0.02)
    return time.monotonic() - begin


async def answers(port, bodies, together):
    """All bodies, so many at a time; -> [Answer]."""
    gate = asyncio.Semaphore(together)

    async def one(body):
        async with gate:
            while True:
                answer = await ask(HOST, port, "POST", CHAT, body)
                if answer.status != 429:
                    return answer
                await asyncio.sleep(float(answer.headers["retry-after"]) * random.uniform(0.1, 0.3))

    return await asyncio.gather(*(one(body) for body in bodies))


def figures(done, seconds):
    gaps = [b - a for answer in done for a, b in zip(answer.at, answer.at[1:])]
    tokens = sum(answer.tokens() for answer in done)
    return {"requests": len(done), "seconds": round(seconds, 2), "tokens_per_second": round(tokens / seconds, 1),
            "requests_per_second": round(len(done) / seconds, 3),
            "first_token_ms": spread([answer.at[0] for answer in done if answer.at]), "gap_ms": spread(gaps)}


async def photos(port, count=8, together=8, tokens=(48, 48), width=640, height=488):
    """So many photo questions at a time, each about a picture of its own, with answers of these lengths."""
    shortest, longest = tokens
    lengths = [shortest + round((longest - shortest) * number / max(count - 1, 1)) for number in range(count)]
    random.Random(0).shuffle(lengths)
    bodies = [question("What is in the picture?", [client.png(width, height, seed)], stream=True, max_tokens=lengths[seed],
                       stream_options={"include_usage": True}, temperature=0, ignore_eos=True, skip_special_tokens=False) for seed in range(count)]
    begin = time.monotonic()
    done = await answers(port, bodies, together)
    for answer in done:
        assert answer.status == 200, (answer.status, answer.body[:300])
    return figures(done, time.monotonic() - begin)


async def connections(port, process, count=1000):
    """Idle keep-alive connections, and what /health takes beside them."""
    before, _ = client.resident(process.pid)
    held = [await Connection(HOST, port).open() for _ in range(count)]
    for connection in held:
        assert (await connection.ask("GET", "/health")).status == 200
    after, _ = client.resident(process.pid)
    times = [(await held[i % count].ask("GET", "/health")).whole for i in range(200)]
    asked = await asyncio.gather(*(connection.ask("POST", CHAT, question("Hi", max_tokens=2)) for connection in held))
    codes = {}
    for answer in asked:
        codes[str(answer.status)] = codes.get(str(answer.status), 0) + 1
        assert answer.status == 200 or (answer.status == 429 and "retry-after" in answer.headers), answer.body
    for connection in held:
        connection.close()
    return {"connections": count, "kib_each": round((after - before) * 1024 / count, 1), "health_ms": spread(times),
            "all_ask_at_once": codes}


async def streams(port, count=200, tokens=64):
    """Streams of texts side by side: all whole, as they are alone."""
    body = question("Count", max_tokens=tokens, temperature=0, ignore_eos=True, skip_special_tokens=False, stream=True)
    alone = (await ask(HOST, port, "POST", CHAT, body)).text()
    begin = time.monotonic()
    async with watched(port) as health:
        done = await answers(port, [body] * count, count)
    for answer in done:
        assert answer.status == 200 and answer.text() == alone, answer.body[-300:]
        assert answer.body.endswith(b"data: [DONE]\n\n")
    return {**figures(done, time.monotonic() - begin), "health_ms": spread(health)}


async def disconnects(port, count=1000, together=32, seed=1):
    """Clients that leave while they send, wait, are answered; then the same answer as before, and nothing runs."""
    chance = random.Random(seed)
    picture = client.png(96, 64, 1)
    canary = question("What is it?", [picture], max_tokens=8, temperature=0)
    before = (await ask(HOST, port, "POST", CHAT, canary)).json()["choices"][0]["message"]["content"]
    gate = asyncio.Semaphore(together)
    late = []

    async def one(number):
        async with gate:
            body = question("Go on", [client.png(64, 64, number)] if number % 3 == 0 else (), stream=number % 2 == 0, max_tokens=-1,
                            ignore_eos=True, skip_special_tokens=False)
            connection = await Connection(HOST, port).open()
            if number % 10 == 9:  # in the upload
                connection.writer.write(b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                        b"Content-Length: 100000\r\n\r\n" + body[:50])
                await asyncio.sleep(chance.uniform(0, 0.02))
            else:
                await connection.send("POST", CHAT, body)
                with contextlib.suppress(asyncio.TimeoutError, Failed):
                    await asyncio.wait_for(connection.read(time.monotonic()), chance.uniform(0, 0.2))
            if number % 2:
                connection.writer.transport.abort()
            connection.close()

    async with watched(port) as health:
        await asyncio.gather(*(one(number) for number in range(count)))
        late.append(await idle(port))
    after = (await ask(HOST, port, "POST", CHAT, canary)).json()["choices"][0]["message"]["content"]
    assert before == after, (before, after)
    return {"disconnects": count, "idle_after_ms": round(1000 * late[0], 1), "health_ms": spread(health)}


async def slow_clients(port, seconds=40, headers=300, bodies=100, readers=100):
    """Slow heads, bodies and readers beside eight good clients."""
    good = question("Hi", max_tokens=8, temperature=0)

    async def good_clients(until):
        times = []

        async def one():
            while time.monotonic() < until:
                answer = await ask(HOST, port, "POST", CHAT, good)
                assert answer.status == 200, answer.body
                times.append(answer.whole)
                await asyncio.sleep(0.05)

        await asyncio.gather(*(one() for _ in range(8)))
        return times

    alone = await good_clients(time.monotonic() + 5)
    ended = {"headers": [], "bodies": []}

    async def drip(kind, head, piece):
        """A byte a second, until the server closes."""
        connection = await Connection(HOST, port).open()
        begin = time.monotonic()
        connection.writer.write(head)
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - begin < seconds + 60:
                with contextlib.suppress(asyncio.TimeoutError):
                    if not await asyncio.wait_for(connection.reader.read(1000), 1):
                        break
                connection.writer.write(piece)
        ended[kind].append(time.monotonic() - begin)
        connection.close()

    async def reader():
        """Opens a stream that would be some megabytes long, and takes nothing of it."""
        connection = await Connection(HOST, port).open()
        connection.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        connection.writer.transport.pause_reading()
        await connection.send("POST", CHAT, question("Go on", stream=True, max_tokens=-1, ignore_eos=True, skip_special_tokens=False, logprobs=True, top_logprobs=20))
        await asyncio.sleep(seconds + 5)
        connection.close()

    slow = [drip("headers", b"GET /health HTTP/1.1\r\nHost: localhost\r\n", b"a") for _ in range(headers)]
    slow += [drip("bodies", b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                  b"Content-Length: 30000000\r\n\r\n", b"{") for _ in range(bodies)]
    slow += [reader() for _ in range(readers)]
    async with watched(port) as health:
        tasks = [asyncio.create_task(one) for one in slow]
        await asyncio.sleep(5)  # until what the readers do not take has filled their buffers
        times = await good_clients(time.monotonic() + seconds)
        for task in tasks:
            await asyncio.wait_for(task, seconds + 60)
    return {"slow": {"headers": headers, "bodies": bodies, "readers": readers}, "good_alone_ms": spread(alone),
            "good_beside_ms": spread(times), "headers_closed_after_s": round(max(ended["headers"]), 1),
            "bodies_closed_after_s": round(max(ended["bodies"]), 1), "health_ms": spread(health)}


async def drain(port, process, count=50):
    """SIGTERM with streams open: all of them end whole, new ones are refused, the process ends with 0."""
    body = question("Count", max_tokens=64, temperature=0, ignore_eos=True, skip_special_tokens=False, stream=True)
    connections_ = [await Connection(HOST, port).open() for _ in range(count)]
    begin = time.monotonic()
    tasks = [asyncio.create_task(connection.ask("POST", CHAT, body)) for connection in connections_]
    await asyncio.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    refused = 0
    for _ in range(3):
        try:
            refused += (await ask(HOST, port, "POST", CHAT, body)).status == 503
        except (OSError, Failed):
            refused += 1
    done = await asyncio.gather(*tasks)
    for answer in done:
        assert answer.status in (200, 429, 503), answer.body
        assert answer.status != 200 or answer.body.endswith(b"data: [DONE]\n\n"), answer.body[-200:]
    whole = sum(answer.status == 200 for answer in done)
    code = await asyncio.to_thread(process.wait, 60)
    assert code == 0, code
    return {"in_flight": count, "whole": whole, "refused_after": refused, "ended_after_s": round(time.monotonic() - begin, 2)}
