# A peer's process for compare.py: started, asked, stopped while it waits, and never left behind.
# In: a command that speaks workers/protocol.py. Out: answers; Failed with the reason where there is none.
# However compare.py ends, its workers end: by close() at the end, on Ctrl-C and on every exception; by the kernel
# (PR_SET_PDEATHSIG) where compare.py is killed itself, because a stopped process would wait for ever.

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import threading

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
LEAVING = 20  # seconds that a worker has for its end


class Failed(Exception):
    """A program that could not do a task; the text says why."""


class Died(Failed):
    """A program that ended instead of answering."""


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def how_it_ended(code):
    """-> "by SIGILL" or "with exit code 3\""""
    if code >= 0:
        return f"with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"by {signal.Signals(-code).name}"
    return f"by signal {-code}"


class Peer:
    """One peer's process, stopped while it has nothing to do."""

    def __init__(self, name, command, environment, log, patience=900):
        self.name, self.command, self.environment = name, command, environment
        self.log, self.patience = log, patience
        self.process = None
        self.ready = {}
        self.peak_mb = None  # resident memory at its largest, known when it has ended

    def open(self):
        # A session of its own: Ctrl-C goes to compare.py alone, which ends the workers.
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        env=self.environment, start_new_session=True, preexec_fn=die_with_parent, bufsize=0)
        self.ready = self.read("loading")
        self.stop()

    def stop(self):
        self.signal(signal.SIGSTOP)

    def go_on(self):
        self.signal(signal.SIGCONT)

    def signal(self, number):
        """Not Popen's way, which looks whether the process is there and reaps it: wait4() shall, which knows its memory."""
        os.kill(self.process.pid, number)

    def read(self, what):
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([self.process.stdout], [], [], self.patience)[0]:
                self.close(patience=0)
                raise Died(f"{self.name} gave no answer in {self.patience} s ({what}) and was ended")
            more = os.read(self.process.stdout.fileno(), 1 << 16)
            if not more:
                self.close()
                raise Died(f"{self.name} ended {how_it_ended(self.process.returncode)} ({what})")
            line += more
        return json.loads(line)

    def send(self, request):
        """-> the answer's dict; the process runs only between question and answer."""
        if not self.runs():
            raise Died(f"{self.name} is not there any more ({request['task']})")
        self.go_on()
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            pass  # it has ended: reading says how
        answer = self.read(request["task"])
        self.stop()
        if "error" in answer:
            raise Failed(f"{self.name} {request['task']}: {answer['error']}")
        return answer

    def can(self, task):
        return task in self.ready.get("tasks", [])

    def runs(self):
        return self.process is not None and self.process.returncode is None

    def close(self, patience=LEAVING):
        """Ends it, by SIGKILL where it does not go by itself. Once is enough, twice does no harm."""
        if not self.runs():
            return
        self.go_on()
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        killer = threading.Timer(patience, lambda: self.signal(signal.SIGKILL))
        killer.start()
        try:
            _, status, usage = os.wait4(self.process.pid, 0)
        except BaseException:  # Ctrl-C while it is waited for
            self.signal(signal.SIGKILL)
            _, status, usage = os.wait4(self.process.pid, 0)
        finally:
            killer.cancel()
        self.process.returncode = os.waitstatus_to_exitcode(status)  # it is reaped
        self.process.stdout.close()
        self.peak_mb = usage.ru_maxrss / 1e3


class Interrupted(SystemExit):
    """SIGTERM or SIGHUP, so that the workers end on the way out."""


def ends_in_order():
    """What else asks a program to end shall unwind it as Ctrl-C does."""
    def leave(number, frame):
        raise Interrupted(128 + number)

    for one in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, leave)


@contextlib.contextmanager
def all_closed(peers):
    """Whatever happens, the list's peers end; a second Ctrl-C does not keep the rest alive."""
    try:
        yield peers
    finally:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for peer in peers:
                peer.close()
        finally:
            signal.signal(signal.SIGINT, before)
