# What Pillow takes for the orientation of EXIF blocks of every kind: types, counts, two entries, values outside the
# block, other byte orders, cut blocks. Beside each stands an XMP text that says 3, which counts where the block has
# no orientation. Blocks that Pillow refuses are left out. In: nothing. Out: exif.json, rows of [name, block in
# hexadecimal digits, orientation].
# Usage: python tools/oracle/exif_goldens.py --pillow 13.0.0 -o tests/data/images

import argparse
import json
import pathlib
import struct
import warnings

import versions
from PIL import Image

FORMATS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I", 16: "Q"}
DIRECTORY = 8
ORIENTATION = 0x0112


def block(entries, order="<", count=None, tail=b"", mark=None, start=DIRECTORY):
    """entries: [(tag, type, count, four bytes)]; tail follows the directory."""
    head = (mark or {"<": b"II*\0", ">": b"MM\0*"}[order]) + struct.pack(order + "I", start)
    body = struct.pack(order + "H", len(entries) if count is None else count)
    body += b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0" + head + body + struct.pack(order + "I", 0) + tail


def valued(kind, values, order="<"):
    """One entry; what does not fit into it lies behind the directory."""
    data = b"".join(struct.pack(order + FORMATS.get(kind, "I"), *value) for value in values)
    if len(data) <= 4:
        return block([(ORIENTATION, kind, len(values), data.ljust(4, b"\0"))], order)
    return block([(ORIENTATION, kind, len(values), struct.pack(order + "I", DIRECTORY + 18))], order, tail=data)


def blocks():
    found = {}
    for kind in range(19):
        for count in (0, 1, 2, 5):
            for order in "<>":
                value = (6, 1)[: len(FORMATS.get(kind, "I"))]
                found[f"type {kind}, {count} values, {order}"] = valued(kind, [value] * count, order)
    for kind in (5, 10):
        for value in ((12, 2), (13, 2), (6, 0), (0, 6)):
            found[f"type {kind}, {value[0]}/{value[1]}"] = valued(kind, [value])
    found["type 10, -12/-2"] = valued(10, [(-12, -2)])
    for kind, value in ((3, 0), (3, 9), (3, 65535), (8, -6), (11, 6.5), (12, 6.0), (11, float("nan")), (16, 1 << 40)):
        found[f"type {kind}, {value}"] = valued(kind, [(value,)])
    short = lambda value: (ORIENTATION, 3, 1, struct.pack("<HH", value, 0))
    place = lambda offset: struct.pack("<I", offset)
    found |= {
        "two entries": block([short(6), short(8)]),
        "two entries, the first of no type": block([(ORIENTATION, 99, 1, b"\6\0\0\0"), short(8)]),
        "two entries, the first empty": block([(ORIENTATION, 3, 0, b"\6\0\0\0"), short(8)]),
        "more entries announced": block([short(6)], count=9),
        "fewer entries announced": block([(1, 3, 1, b"\1\0\0\0"), short(6)], count=1),
        "more data than the block before it": block([(1, 7, 1000, place(10)), short(6)]),
        "data past the end before it": block([(1, 7, 10, place(1000)), short(6)]),
        "data far past the end before it": block([(1, 7, 10, place(0xFFFFFFF0)), short(6)]),
        "data twice before it": block([(1, 7, 40, place(8)), (1, 7, 40, place(8)), short(6)]),
        "data more than the block together": block([(1, 7, 40, place(8)), (2, 7, 40, place(8)), short(6)]),
        "itself past the end": block([(ORIENTATION, 3, 3, place(1000))]),
        "itself larger than the block": block([(ORIENTATION, 3, 99, place(8))]),
        "a directory inside": block([(0x8769, 4, 1, place(8)), short(6)]),
        "no prefix": block([short(6)])[6:],
        "prefix twice": b"Exif\0\0" + block([short(6)]),
        "prefix alone": b"Exif\0\0",
        "empty": b"",
        "mark II 0 *": block([short(6)], mark=b"II\0*"),
        "mark MM * 0": block([(ORIENTATION, 3, 1, b"\0\6\0\0")], ">", mark=b"MM*\0"),
    }
    for start in (0, 7, 9, 100, 0xFFFFFFFF):
        found[f"directory at {start}"] = block([short(6)], start=start)
    for size in range(14, 36):
        found[f"cut at {size}"] = block([short(6)])[:size]
    return found


def orientation_of(data):
    picture = Image.new("L", (1, 1))
    picture.info = {"exif": data, "xmp": b'tiff:Orientation="3"'}
    value = picture.getexif().get(ORIENTATION, 1)
    return next((known for known in range(1, 9) if value == known), 1)


def main():
    parser = argparse.ArgumentParser(description="Makes the goldens of EXIF orientations.")
    parser.add_argument("-o", "--out", type=pathlib.Path, required=True, help="folder of the test images")
    versions.add_arguments(parser, "pillow")
    arguments = parser.parse_args()
    made_with = versions.check("pillow")
    warnings.simplefilter("ignore")
    rows = []
    for name, data in blocks().items():
        try:
            rows.append([name, data.hex(), orientation_of(data)])
        except Exception:  # Pillow refuses the picture
            continue
    text = ",\n".join(json.dumps(row) for row in rows)
    (arguments.out / "exif.json").write_text(f'{{"made_with": {json.dumps(made_with)}, "rows": [\n{text}\n]}}\n')


if __name__ == "__main__":
    main()
