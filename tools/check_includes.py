#!/usr/bin/env python3
# Holds the house rules that a compiler does not: which room may include which, where third-party headers may
# appear, and that the library neither prints nor ends the process.
# In: a source tree. Out: one line "file:line: what is wrong" for each offence; exit 1 when there is any.
# Usage: python3 tools/check_includes.py [ROOT]

import pathlib
import re
import sys

# The rooms of src/, and what each may include besides itself: a room, or one header. Every room may include the public
# headers, galago/*. A room's name is the longest that its path begins with: src/text/jinja is one of its own, and
# "text" are the files that lie in src/text itself.
FILES = {"core", "io", "formats"}
MODULE = FILES | {"kernels/kernels.h", "kernels/workspace.h"}
TEXT = {"core", "text", "text/unicode"}
FAMILIES = MODULE | TEXT | {"image", "text/tokenizer", "text/prompt", "nn/vision", "nn/connector", "nn/decoder"}
EDGES = {
    "core": set(),
    "io": {"core"},
    "formats": {"core", "io"},
    "kernels": {"core"},
    "image": MODULE,
    "ffmpeg": {"core", "io", "image"},
    "pdf": {"core", "io", "image/image.h"},
    "text": {"core", "text/unicode"},
    "text/unicode": {"core", "text"},
    "text/jinja": TEXT | {"formats"},
    "text/tokenizer": TEXT | {"formats"},
    "text/prompt": TEXT | {"formats", "text/jinja", "text/tokenizer"},
    "structured": TEXT | {"formats", "text/tokenizer"},
    "nn/vision": MODULE,
    "nn/connector": MODULE,
    "nn/decoder": MODULE,
    "models": FAMILIES | {"kernels/tuning.h"},
    "runtime": FAMILIES | {"ffmpeg", "models", "structured"},
    "inspect": FAMILIES | {"models", "runtime", "structured"},
    "messages": {"core", "io", "formats"},
    "hub": {"core", "io", "formats"},
    "batch": {"core", "io", "messages"},
    "documents": {"core", "text/unicode", "structured/doctags_names.h"},
    "convert": {"core", "io", "messages", "batch", "documents", "pdf", "image/image.h", "image/png_encode.h"},
    "server/http": {"core"},
    "server/media": {"core", "io", "messages", "image/image.h", "image/video.h", "runtime/video_source.h"},
    "server/page": {"core", "server/http"},
    "server/api": FILES | TEXT | {"messages", "models", "runtime", "structured", "text/tokenizer", "text/prompt", "server/http",
                                  "server/media", "server/page"},
    "server": {"core", "server/http", "server/api"},
}

# The rooms in which a third-party header may appear; others are the standard library's and the system's.
THIRD_PARTY = {
    r"nlohmann/": {"formats", "messages", "documents", "server/api", "hub"},
    r"boost/": {"server/http"},
    r"curl/": {"server/media", "hub"},
    r"jpeglib\.h|jerror\.h|png\.h|gif_lib\.h|webp/|zlib\.h|tiffio\.h|libheif/": {"image"},
    r"xgrammar/|dlpack/": {"structured"},
    r"openssl/": {"core", "server/http", "hub"},
    r"hwy/|omp\.h|immintrin\.h": {"kernels"},
    r"CLI/|histedit\.h|gtest/|gmock/|benchmark/": set(),
}

# Any other C header is the system's: in these rooms and files alone, which another system replaces.
SYSTEM = ("io/", "core/aligned_memory.cc", "kernels/pool.cc", "kernels/cpu/instructions.cc",
          "kernels/cpu/amx_permission.cc", "server/http/", "server/media/", "hub/")

FORBIDDEN = re.compile(
    r"\bstd::(?:cout|cerr|clog)\b"
    r"|(?<![\w.>])(?:std::)?(?:v?f?printf|puts|fputs|putchar|perror|abort|exit|_Exit|quick_exit|terminate)\s*\("
)
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def without_comments_and_texts(source):
    """The code alone, with as many lines as before."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"', re.DOTALL)
    return pattern.sub(lambda match: "\n" * match.group().count("\n"), source)


def room_of(path):
    """The room of a path relative to src/, or None."""
    rooms = [room for room in EDGES if path.startswith(room + "/")]
    return max(rooms, key=len, default=None)


def include_offence(path, room, own, system):
    """What is wrong with one include of a file, by its path below src/, in a room, or of a public header (room None)."""
    if system:
        for pattern, allowed in THIRD_PARTY.items():
            if re.match(pattern, system):
                return None if room in allowed else f"<{system}> belongs to {', '.join(sorted(allowed)) or 'apps and tests'} only"
        if system.endswith(".h") and not path.startswith(SYSTEM):
            return f"<{system}> is the system's: {', '.join(SYSTEM)} only"
        return None
    if own.startswith("galago/"):
        return None
    if room is None:
        return f'public headers include galago/ only, not "{own}"'
    target = room_of(own)
    if target == room or target in EDGES[room] or own in EDGES[room]:
        return None
    return f'{room} must not include "{own}"'


def offences_of(path, root):
    """-> [(line, text)]"""
    relative = path.relative_to(root)
    below = "/".join(relative.parts[1:])
    room = room_of(below) if relative.parts[0] == "src" else None
    if room is None and relative.parts[0] == "src":
        return [(1, f"{relative.parent} is not a known room")]
    source = path.read_text(encoding="utf-8")
    found = []
    for number, line in enumerate(source.splitlines(), 1):
        match = INCLUDE.match(line)
        offence = include_offence(below, room, *match.groups()) if match else None
        if offence:
            found.append((number, offence))
    for number, line in enumerate(without_comments_and_texts(source).splitlines(), 1):
        match = FORBIDDEN.search(line)
        if match:
            found.append((number, f"the library never prints or ends the process: {match.group().strip()}"))
    return sorted(found)


def check(root):
    """-> ["file:line: text"] for the sources under root."""
    files = [path for top in ("src", "include") for path in sorted((root / top).rglob("*")) if path.is_file()]
    lines = []
    for path in files:
        if path.suffix in (".h", ".cc"):
            relative = path.relative_to(root)
            lines += [f"{relative}:{number}: {text}" for number, text in offences_of(path, root)]
    if not files:
        lines.append(f"{root}: no sources under src/ and include/")
    return lines


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    lines = check(root)
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
