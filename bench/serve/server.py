# Starts a server of either kind on a free port of the loopback, waits until it answers, ends it.

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def running(command, log, patience=180):
    """command: with PORT where the port goes. -> (process, port)"""
    port = free_port()
    with open(log, "wb") as out:
        process = subprocess.Popen([word.replace("PORT", str(port)) for word in command], stdout=out, stderr=out,
                                   env={**os.environ, "OMP_WAIT_POLICY": "passive"})
        try:
            end = time.monotonic() + patience
            while True:
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"{command[0]} did not start: {log}")
                with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as health:
                        if health.status == 200:
                            break
                time.sleep(0.1)
            yield process, port
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def galago(program, model, *more):
    return [str(program), "serve", "-m", str(model), "--port", "PORT", "--no-log", *map(str, more)]


def llama(program, text, mmproj, *more):
    return [str(program), "-m", str(text), *(["--mmproj", str(mmproj)] if mmproj else []), "--host", "127.0.0.1", "--port", "PORT",
            "--no-webui", *map(str, more)]
