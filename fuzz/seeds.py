"""Gathers the first inputs of a fuzz target from tests/data into a folder; nothing is copied into the tree.

Usage: python3 fuzz/seeds.py TARGET FOLDER
"""

import base64
import hashlib
import io
import json
import pathlib
import re
import struct
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"
PICTURES = (".png", ".jpg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic")
LARGEST = 400_000  # bytes; what is larger makes every execution slow


def files(*patterns):
    for pattern in patterns:
        for path in sorted(DATA.rglob(pattern)):
            if path.is_file() and path.stat().st_size <= LARGEST:
                yield path.read_bytes()


def pictures():
    for path in sorted((DATA / "images").rglob("*")) + sorted((DATA / "pictures").iterdir()):
        if path.suffix in PICTURES and path.stat().st_size <= 40_000:
            yield path.read_bytes()


def animations():
    for path in sorted((DATA / "images").rglob("*")):
        if path.suffix in (".gif", ".webp"):
            yield path.read_bytes()


def shrunk(checkpoint):
    """A safetensors file with the same header fields and little data: each tensor at most 4 x 4."""
    (length,) = struct.unpack("<Q", checkpoint[:8])
    header = json.loads(checkpoint[8 : 8 + length])
    sizes = {"F64": 8, "F32": 4, "I64": 8, "I32": 4, "F16": 2, "BF16": 2, "U8": 1, "I8": 1, "BOOL": 1}
    place, out = 0, {}
    for name, tensor in header.items():
        if name == "__metadata__":
            out[name] = tensor
            continue
        shape = [min(side, 4) for side in tensor["shape"]]
        count = sizes.get(tensor["dtype"], 4)
        for side in shape:
            count *= side
        out[name] = {"dtype": tensor["dtype"], "shape": shape, "data_offsets": [place, place + count]}
        place += count
    text = json.dumps(out, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + bytes(place)


def checkpoints():
    for path in sorted((DATA / "models").rglob("*.safetensors")):
        yield shrunk(path.read_bytes())


def templates():
    for path in sorted(DATA.rglob("*.jinja")):
        yield path.read_bytes()
    for case in json.loads((DATA / "text" / "templates.json").read_text()):
        yield case["template"].encode()
    for path in sorted(DATA.rglob("tokenizer_config.json")):
        template = json.loads(path.read_text()).get("chat_template")
        if isinstance(template, str):
            yield template.encode()


def models():
    """A directory of every kind as one document: its small files, and the header of its weights in half of them."""
    for number, folder in enumerate(sorted((DATA / "models").iterdir())):
        if not (folder / "config.json").exists():
            continue
        contents = {}
        for path in sorted(folder.glob("*.json")) + sorted(folder.glob("*.jinja")):
            if path.name != "tokenizer.json" and path.stat().st_size < 20_000:
                text = path.read_text()
                contents[path.name] = text if path.suffix == ".jinja" else json.loads(text)
        document = {"base": folder.name, "files": contents, "prompt": "What is this?"}
        weights = folder / "model.safetensors"
        if weights.exists() and number % 2 == 0:
            raw = weights.read_bytes()
            (length,) = struct.unpack("<Q", raw[:8])
            document["header"] = json.loads(raw[8 : 8 + length])
        yield json.dumps(document).encode()


def media():
    """data: URIs of small pictures, and the addresses of the test's table."""
    for content in pictures():
        if len(content) <= 2000:
            yield b"data:image/png;base64," + base64.b64encode(content)
    table = (ROOT / "tests" / "unit" / "server" / "media_url_test.cc").read_text()
    for address in re.findall(r'\{"((?:http|file|ftp)[^"\\]*)", ', table):
        yield address.replace("{P}", "8080").encode()


def connections():
    """How to cut it, then the bytes of a connection."""
    host = b"Host: x\r\n"
    get = b"GET /a%20b?c=d HTTP/1.1\r\n" + host
    post = b"POST /p HTTP/1.1\r\n" + host
    chunked = post + b"Transfer-Encoding: chunked\r\n\r\n"
    for content in (
        get + b"\r\n",
        get + b"Connection: close\r\nAccept: */*\r\n\r\n",
        b"\r\nGET http://h:80/a HTTP/1.1\r\n" + host + b"\r\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get + b"\r\n",
        b"OPTIONS * HTTP/1.1\r\n" + host + b"\r\n",
        b"CONNECT h:80 HTTP/1.1\r\n" + host + b"\r\n",
        post + b"Content-Length: 5\r\n\r\nhello" + get + b"\r\n",
        post + b"Expect: 100-continue\r\nContent-Encoding: identity\r\nContent-Length: 1\r\n\r\na",
        chunked + b"5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: t\r\n\r\n" + get + b"\r\n",
        chunked + b"0\r\n\r\n" + chunked + b"1\r\na\r\n000\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ):
        yield b"\x07" + content


def forms():
    """The first byte is the kind: schema, pattern, grammar, choice."""
    for schema in (
        {"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}, "b": {"enum": ["x", 1, None]}}, "required": ["a"]},
        {"type": "array", "items": {"$ref": "#/$defs/n"}, "maxItems": 3, "$defs": {"n": {"type": "number", "exclusiveMaximum": 2}}},
        {"anyOf": [{"type": "string", "pattern": "^[a-c]{2,3}$"}, {"const": {"k": []}}]},
        {"allOf": [{"type": "object", "properties": {"a": True}}, {"additionalProperties": False, "properties": {"a": {"type": "null"}}}]},
        {"type": "string", "format": "date-time", "maxLength": 40},
    ):
        yield b"\0" + json.dumps(schema).encode()
    for pattern in (r"[a-z]+@[a-z]+\.(com|org)", r"\d{3}-\d{4}", r"(a|b)*c?", r"[^\n]{0,20}", r"(?:x(?:y){2,}|\u00e9)"):
        yield b"\1" + pattern.encode()
    for grammar in ('root ::= "yes" | "no"', 'root ::= item ("," item)*\nitem ::= [0-9]{1,3}', "root ::= [^a] root?"):
        yield b"\2" + grammar.encode()
    yield b"\3yes"


def requests():
    """The first byte is the route: chat, responses, completions."""
    tile = base64.b64encode(next(iter(sorted(DATA.glob("pictures/*.png"), key=lambda path: path.stat().st_size))).read_bytes()).decode()
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + tile, "detail": "low"}}
    message = {"role": "user", "content": [picture, {"type": "text", "text": "Hi"}]}
    for route, body in (
        (0, {"messages": [message], "max_tokens": 3, "temperature": 0.5, "stop": ["a"], "logprobs": True, "top_logprobs": 2}),
        (0, {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "y"}], "n": 2, "logit_bias": {"5": -1},
             "tools": [tool], "tool_choice": "required"}),
        (0, {"messages": [{"role": "user", "content": "y"}], "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "null"}}}}),
        (1, {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}], "instructions": "Be brief.", "text": {"format": {"type": "text"}}}),
        (1, {"input": [{"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
                       {"type": "function_call_output", "call_id": "1", "output": "3"}], "tools": [{"type": "function", "name": "f"}]}),
        (2, {"prompt": "a <image> b", "echo": True, "logprobs": 3, "max_tokens": 0, "stream_options": {"include_usage": True}}),
        (2, {"prompt": [5, 6, 7], "guided_choice": ["a", "b"], "ignore_eos": True, "stop_token_ids": [3]}),
    ):
        yield bytes([route]) + json.dumps(body).encode()


def listings():
    """A line of headers, then a listing of a repository, or a commit."""
    lfs = {"lfs": {"oid": "b" * 64, "size": 700, "pointerSize": 134}, "xetHash": "c" * 64}
    entry = {"type": "file", "oid": "a" * 40, "size": 5}
    for line, *paths in (
        ('<https://hub.example/a?cursor=x>; rel="next"', "config.json", "model.safetensors", "sub/a.json"),
        ('W/"' + "b" * 64 + '"', "model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
        ("Q4_K_M", "x-Q4_K_M-00001-of-00002.gguf", "x-Q4_K_M-00002-of-00002.gguf", "mmproj-x-F16.gguf", "x-Q8_0.gguf"),
        ("/other/place?signature=1", "pytorch_model.bin"),
        ("http://hub.example/", "../up", "/etc/passwd"),
    ):
        tree = [entry | {"path": path} | (lfs if path.endswith(("safetensors", "gguf")) else {}) for path in paths]
        yield f"{line}\n{json.dumps(tree)}".encode()
    yield b"17\n" + json.dumps({"sha": "a" * 40}).encode()


def item_files():
    """A byte for the kind, then a file of items."""
    for line in (
        {"image": "a.png", "prompt": "What?", "id": 3},
        {"images": ["a.png", "b.png"], "question": "Why?", "max_tokens": 4, "choices": ["a", "b"], "split": True},
        {"messages": [{"role": "user", "content": [{"type": "image", "path": "a.png"}, {"type": "text", "text": "x"}]}], "tools": []},
        {"custom_id": "c", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": []}},
        {"image": "file:///a%20b.png", "json_schema": {"type": "null"}, "temperature": 0.5, "stop": ["a"]},
    ):
        yield b"\0" + b"\xef\xbb\xbf" * ("custom_id" in line) + json.dumps(line).encode() + b"\n" + json.dumps(line).encode()
    yield b'\1image,id,prompt\na.png,1,"What,\n""is"" it?"\r\nb.png,2\n"c.png,3,\n'
    yield b"\2path\tquestion\na.png\tWhy?\n"
    yield b"\3a.png\r\n\nfile:///b.png\nhttps://example.org/c.png"
    small = min(pictures(), key=len)
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w", format=form) as tar:
            long = "x" * (150 if form != tarfile.USTAR_FORMAT else 20)
            for name, content in (("0.png", small), ("0.txt", b"What?"), ("0.json", b'{"max_tokens": 3}'), (f"{long}/1.jpg", b"no"), ("._0.png", b"")):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        yield b"\4" + archive.getvalue()[:8192]


def journals():
    """Lines that begin with their digests, the first the run's."""
    sealed = lambda text: f"{hashlib.sha256(text.encode()).hexdigest()[:16]} {text}\n"
    head = sealed('{"model":"m"}')
    lines = [sealed(f'{i} {i:016x} {int(i == 3)} {{"id":"{i}"}}') for i in (0, 2, 1, 3, 5, 3)]
    yield (head + "".join(lines)).encode()
    yield (head + "".join(lines))[:-9].encode()
    yield (head + lines[0] + lines[1].replace("2", "4") + lines[2]).encode()
    yield sealed('{"model":"n"}').encode()
    yield bytes(40)


def doctags():
    """One byte that cuts, and a page."""
    for name in ("pages.json", "doclang.json"):
        for row in json.loads((DATA / "documents" / name).read_text(encoding="utf-8"))[:80]:
            yield b"\x07" + row[0].encode()
    for row in json.loads((DATA / "text" / "doctags.json").read_text(encoding="utf-8")):
        yield b"\x03" + row[1].encode()


SEEDS = {
    "picture": pictures,
    "animation": animations,
    "safetensors": checkpoints,
    "gguf": lambda: files("*.gguf"),
    "tokenizer_json": lambda: files("tokenizer.json"),
    "tokenizer_model": lambda: files("tokenizer.model", "spiece.model"),
    "template": templates,
    "config": lambda: files("config.json", "*processor_config.json", "tokenizer_config.json", "special_tokens_map.json"),
    "generation_config": lambda: files("generation_config.json", "config.json"),
    "grammar": forms,
    "http": connections,
    "request": requests,
    "model": models,
    "media": media,
    "hub": listings,
    "batch_items": item_files,
    "journal": journals,
    "documents": doctags,
}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in SEEDS:
        sys.exit(f"{__doc__}\nTargets: {' '.join(sorted(SEEDS))}")
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    known = set()
    for content in SEEDS[sys.argv[1]]():
        if content not in known:
            (folder / f"seed_{len(known):03}").write_bytes(content)
            known.add(content)
    print(len(known))


if __name__ == "__main__":
    main()
