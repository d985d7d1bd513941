"""A Hugging Face hub on the loopback interface, small and unreliable on demand.

FakeHub(repositories) answers the requests that huggingface_hub and galago make for models. Files of an LFS kind are
redirected to a "CDN": the same server by another name (localhost, where the hub is 127.0.0.1), so that it is another
origin. Every request is recorded; faults are added with `hub.faults.append(Fault(...))`.
"""

import dataclasses
import hashlib
import http.server
import json
import pathlib
import re
import socket
import struct
import threading
import time
import urllib.parse

LFS = (".safetensors", ".gguf", ".bin", ".model")
CDN_TAG = '"cdn-{}"'


def git_id(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclasses.dataclass
class Repository:
    files: dict  # path -> bytes
    commit: str = ""
    refs: tuple = ("main",)
    gated: bool = False  # unless a token comes with it
    private: bool = False

    def __post_init__(self):
        if not self.commit:
            self.commit = hashlib.sha1(repr(sorted((k, git_id(v)) for k, v in self.files.items())).encode()).hexdigest()

    @staticmethod
    def of(folder, more=()):
        files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(pathlib.Path(folder).rglob("*")) if p.is_file()}
        return Repository(files | dict(more))

    def tree(self):
        entries, folders = [], set()
        for path, content in sorted(self.files.items()):
            parts = path.split("/")
            folders |= {"/".join(parts[:i]) for i in range(1, len(parts))}
            entry = {"type": "file", "oid": git_id(content), "size": len(content), "path": path}
            if path.endswith(LFS):
                sha = hashlib.sha256(content).hexdigest()
                entry |= {"oid": git_id(b"pointer " + sha.encode())}
                entry["lfs"] = {"oid": sha, "size": len(content), "pointerSize": 134}
            entries.append(entry)
        return entries + [{"type": "directory", "oid": "0" * 40, "size": 0, "path": one} for one in sorted(folders)]


@dataclasses.dataclass
class Fault:
    """What happens to the next `times` requests whose "METHOD /path" fits the pattern."""

    pattern: str
    times: int = 1
    status: int = 0  # answer with it, `headers` and `body`
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    drop: bool = False  # close before a byte of the answer, with a reset
    cut: int = -1  # close after so many bytes of the body
    stall: float = 0  # seconds before anything is sent
    drip: tuple = ()  # (bytes, seconds between them)
    change: object = None  # content -> content that is sent in its place
    drop_headers: tuple = ()  # of the answer
    no_ranges: bool = False


@dataclasses.dataclass
class Request:
    method: str
    path: str
    host: str
    headers: dict
    sent: int = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.handle_one("HEAD")

    def do_GET(self):
        self.handle_one("GET")

    def handle_one(self, method):
        hub = self.server.hub
        self.record = Request(method, self.path, self.headers.get("Host", "").rsplit(":", 1)[0], dict(self.headers))
        self.fault = hub.note(self.record)
        if self.fault and self.fault.stall:
            hub.closing.wait(self.fault.stall)
        if self.fault and self.fault.drop:
            self.reset()
        elif self.fault and self.fault.status:
            self.answer(self.fault.status, self.fault.body, self.fault.headers)
        else:
            self.route(hub, urllib.parse.urlsplit(self.path))

    def reset(self):
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def refuse(self, status, code, text=""):
        self.answer(status, text.encode(), {"X-Error-Code": code, "X-Error-Message": text or code})

    def route(self, hub, url):
        path = urllib.parse.unquote(url.path)
        if found := re.fullmatch(r"/cdn/([0-9a-f]{64})", path):
            content = hub.by_sha.get(found[1])
            return self.send_file(content, {"ETag": CDN_TAG.format(found[1])}) if content is not None else self.refuse(404, "NoSuchKey")
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/(.+))?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([0-9a-f]{40}|[^/]+)/(.+)", path)
        name = (api or file or [None, None])[1]
        moved = hub.moved.get(name)
        if moved:
            return self.answer(307, b"", {"Location": self.path.replace(name, moved, 1)})
        repository = hub.repositories.get(name)
        known = self.headers.get("Authorization") == "Bearer " + hub.token
        if repository is None or (repository.private and not known):
            return self.refuse(404 if known else 401, "RepoNotFound", "Repository not found")
        revision = (api[3] or "main") if api else file[2]
        if revision != repository.commit and revision not in repository.refs:
            return self.refuse(404, "RevisionNotFound", "Invalid rev id: " + revision)
        if api and api[2] == "tree":
            return self.send_tree(hub, name, repository, urllib.parse.parse_qs(url.query))
        if api:
            siblings = [{"rfilename": one} for one in sorted(repository.files)]
            info = {"id": name, "modelId": name, "sha": repository.commit, "private": False, "siblings": siblings, "tags": [], "downloads": 0, "likes": 0}
            return self.answer(200, json.dumps(info).encode(), {"Content-Type": "application/json"})
        if repository.gated and not known:
            return self.refuse(401 if "Authorization" not in self.headers else 403, "GatedRepo", "Access is restricted")
        self.send_resolved(hub, repository, file[3])

    def send_tree(self, hub, name, repository, query):
        entries = repository.tree()
        begin = int(query.get("cursor", ["0"])[0])
        page = entries[begin : begin + hub.page]
        headers = {"Content-Type": "application/json"}
        if begin + hub.page < len(entries):
            headers["Link"] = f'<{hub.address}/api/models/{name}/tree/{repository.commit}?recursive=true&cursor={begin + hub.page}>; rel="next"'
        self.answer(200, json.dumps(page).encode(), headers)

    def send_resolved(self, hub, repository, path):
        headers = {"X-Repo-Commit": repository.commit}
        if path not in repository.files:
            return self.answer(404, b"", headers | {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
        content = repository.files[path]
        if not path.endswith(LFS):
            return self.send_file(content, headers | {"ETag": f'"{git_id(content)}"'})
        sha = hashlib.sha256(content).hexdigest()
        headers |= {"X-Linked-Etag": f'"{sha}"', "X-Linked-Size": str(len(content)), "ETag": '"redirect"'}
        self.answer(302, b"", headers | {"Location": f"{hub.cdn}/cdn/{sha}?signature=secret"})

    def send_file(self, content, headers):
        if self.fault and self.fault.change:
            content = self.fault.change(content)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if asked and not (self.fault and self.fault.no_ranges) and condition in (None, headers["ETag"]):
            begin = int(asked[1])
            if begin >= len(content):
                return self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            headers = headers | {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"}
            return self.answer(206, content[begin:], headers)
        self.answer(200, content, headers | {"Accept-Ranges": "bytes"})

    def answer(self, status, body, headers):
        hub, fault = self.server.hub, self.fault
        lines = {"Content-Length": str(len(body))} | headers
        if fault and fault.headers and not fault.status:
            lines |= fault.headers
        self.send_response_only(status)
        for key, value in lines.items():
            if not (fault and key in fault.drop_headers):
                self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = fault.cut if fault and fault.cut >= 0 else len(body)
        step, pause = fault.drip if fault and fault.drip else (1 << 16, 0)
        step = step or 1
        for at in range(0, min(cut, len(body)), step):
            if pause and hub.closing.wait(pause):
                break
            piece = body[at : min(at + step, cut)]
            try:
                self.wfile.write(piece)
            except OSError:
                self.close_connection = True
                return
            self.record.sent += len(piece)
        if cut < len(body):
            self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass  # a client that went away


class FakeHub:
    """Use it with `with`; `address` is what HF_ENDPOINT is set to."""

    def __init__(self, repositories, token="hf_secret"):
        self.repositories = repositories
        self.token = token
        self.moved = {}  # name -> new name
        self.page = 1000  # files in one answer
        self.faults = []
        self.requests = []
        self.by_sha = {}
        self.closing = threading.Event()
        self.lock = threading.Lock()
        for one in repositories.values():
            self.by_sha |= {hashlib.sha256(content).hexdigest(): content for content in one.files.values()}
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.hub = self
        port = self.server.server_address[1]
        self.address = f"http://127.0.0.1:{port}"
        self.cdn = f"http://localhost:{port}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def note(self, record):
        with self.lock:
            self.requests.append(record)
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.pattern, f"{record.method} {record.path}"):
                    fault.times -= 1
                    return fault
        return None

    def count(self, pattern):
        with self.lock:
            return sum(1 for r in self.requests if re.search(pattern, f"{r.method} {r.path}"))

    def sent(self, pattern):
        with self.lock:
            return sum(r.sent for r in self.requests if re.search(pattern, f"{r.method} {r.path}"))

    def wait_for(self, pattern, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.count(pattern):
                return True
            time.sleep(0.02)
        return False
