# Pages with a text layer, as a scan with its words recognised has: held-out pages of the demo page model as pictures, what they
# really say as invisible words in the boxes of their elements. For bench/drafts.
# In: tests/data/demo_page, the tokenizer of models/demo-page (package tokenizers). Out: a PDF.
# Usage: python3 bench/drafts/make_pdf.py -o /tmp/layer.pdf [--pages 24]

import argparse
import json
import pathlib
import re

from PIL import Image
from tokenizers import Tokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIDE = 192  # points of a page
UNITS = 500  # of a location


def elements(doctags):
    """(left, top, right, bottom in units, words) of each stretch of words, in the box that was open then."""
    box, found = [0, 0, UNITS, UNITS], []
    for tags, words in re.findall(r"((?:<[^>]*>)*)([^<]*)", doctags):
        places = [int(place) for place in re.findall(r"<loc_(\d+)>", tags)]
        if len(places) >= 4:
            box = places[-4:]
        if words.strip():
            found.append((*box, words.split()))
    return found


def layer(doctags):
    """Text operators: a word after the other, in lines of as many as fit."""
    out = ["BT 3 Tr"]
    for left, top, right, bottom, words in elements(doctags):
        scale, size = SIDE / UNITS, 6.0
        x, y = left * scale, SIDE - top * scale - size
        for word in words:
            width = 0.62 * size * len(word)
            if x + width > right * scale + 1 and x > left * scale:
                x, y = left * scale, y - 1.1 * size
            text = word.encode("cp1252", "replace").decode("latin-1").replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
            out.append(f"/F {size} Tf 1 0 0 1 {x:.2f} {y:.2f} Tm ({text}) Tj")
            x += width + 0.5 * size
    return "\n".join([*out, "ET"]).encode("latin-1")


def picture(path):
    """Its bytes as JPEG; what is none becomes one without loss that a model would see."""
    if path.suffix == ".jpg":
        return path.read_bytes(), Image.open(path)
    copy = path.with_suffix(".jpg").name
    image = Image.open(path).convert("RGB")
    target = pathlib.Path("/tmp") / f"galago-{copy}"
    image.save(target, quality=98, subsampling=0)
    return target.read_bytes(), image


def main():
    parser = argparse.ArgumentParser(description="A PDF of pictures with a text layer.")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--pages", type=int, default=24)
    arguments = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(ROOT / "models/demo-page/tokenizer.json"))
    data = ROOT / "tests/data/demo_page"
    rows = [json.loads(line) for line in (data / "answers.jsonl").read_text().splitlines()][: arguments.pages]
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"]
    kids = []
    for row in rows:
        bytes_, image = picture(data / row["page"])
        space = {"L": "DeviceGray"}.get(image.mode, "DeviceRGB")
        number = len(objects) + 1
        kids.append(f"{number} 0 R")
        content = f"q {SIDE} 0 0 {SIDE} 0 0 cm /I Do Q\n".encode() + layer(tokenizer.decode(row["expected"], skip_special_tokens=False))
        objects += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {SIDE} {SIDE}]/Contents {number + 1} 0 R/Resources<</Font<</F 3 0 R>>"
            f"/XObject<</I {number + 2} 0 R>>>>>>".encode(),
            b"<</Length %d>>stream\n" % len(content) + content + b"\nendstream",
            f"<</Type/XObject/Subtype/Image/Width {image.width}/Height {image.height}/BitsPerComponent 8/ColorSpace/{space}"
            f"/Filter/DCTDecode/Length {len(bytes_)}>>stream\n".encode() + bytes_ + b"\nendstream"]
    objects[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids)}>>".encode()
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{len(out)}\n%%EOF\n".encode()
    arguments.output.write_bytes(out)


if __name__ == "__main__":
    main()
