#!/usr/bin/env python3
"""Fetches the sources of xgrammar, which answers in a given form are made with, and unpacks what is compiled of them.

Usage: tools/fetch_xgrammar.py [--to FOLDER] [--index URL]
Takes the source distribution from the Python package index that pip is set up with; the version and its SHA-256 are
pinned here. Does nothing when it is there. FOLDER: ~/.cache/galago/xgrammar-VERSION, where the build looks for it.
"""

import argparse
import hashlib
import html.parser
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import urllib.parse
import urllib.request

VERSION = "0.2.9"
SHA256 = "87b466bca2475e29bb0323abc62c6c33cbcbcff47e5fb800a3e2099ac9620b90"
FILE = f"xgrammar-{VERSION}.tar.gz"
KEPT = ("cpp/", "include/", "3rdparty/picojson/", "3rdparty/dlpack/include/", "LICENSE", "NOTICE")


class Links(html.parser.HTMLParser):
    """The addresses of a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.found += [value for key, value in attrs if key == "href" and value]


def pip(*arguments):
    for python in ("python3", sys.executable):
        done = subprocess.run([python, *arguments], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip()
    return None


def configured_index():
    """What pip would ask: its environment, its configuration, its own default."""
    return (
        os.environ.get("PIP_INDEX_URL")
        or pip("-m", "pip", "config", "get", "global.index-url")
        or pip("-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)")
    )


def read(url, accept="*/*"):
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=60) as answer:
        return answer.headers.get_content_type(), answer.read()


def address_of_file(index):
    """PEP 691, or PEP 503 where the index does not speak JSON."""
    page = index.rstrip("/") + "/xgrammar/"
    kind, body = read(page, "application/vnd.pypi.simple.v1+json, text/html;q=0.5")
    if kind.endswith("json"):
        addresses = [file["url"] for file in json.loads(body)["files"]]
    else:
        links = Links()
        links.feed(body.decode())
        addresses = links.found
    for address in addresses:
        address = urllib.parse.urljoin(page, address).partition("#")[0]
        if urllib.parse.unquote(address).endswith("/" + FILE):
            return address
    raise FileNotFoundError(f"the index has no {FILE}")


def unpack(archive, folder):
    """All or nothing: into a folder beside it, which then takes the name."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                name = member.name.partition("/")[2]
                if member.isfile() and name.startswith(KEPT) and ".." not in name.split("/"):
                    target = pathlib.Path(scratch, "unpacked", name)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(tar.extractfile(member).read())
        pathlib.Path(scratch, "unpacked").rename(folder)


def main():
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=pathlib.Path, default=cache / "galago" / f"xgrammar-{VERSION}")
    parser.add_argument("--index", help="a package index (PEP 503); else pip's")
    arguments = parser.parse_args()
    if (arguments.to / "include").is_dir():
        return 0
    index = arguments.index or configured_index()
    if not index:
        print("fetch_xgrammar: pip is not here to say which index to ask; name one with --index", file=sys.stderr)
        return 69
    try:
        archive = read(address_of_file(index))[1]
        found = hashlib.sha256(archive).hexdigest()
        if found != SHA256:
            print(f"fetch_xgrammar: {FILE} has the SHA-256 {found}, not {SHA256}", file=sys.stderr)
            return 65
        unpack(archive, arguments.to)
    except OSError as error:
        print(f"fetch_xgrammar: {error}", file=sys.stderr)
        return 69
    return 0


if __name__ == "__main__":
    sys.exit(main())
