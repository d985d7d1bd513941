# Writes small animated GIF and WebP files of every kind, and what Pillow makes of each frame.
# In: a folder. Out: the files and animations.json: canvas, duration in milliseconds and CRC-32 of the RGB bytes
# of every frame, as ImageSequence with convert("RGB") gives them. The same bytes on every run.
# Usage: python tools/oracle/animation_goldens.py -o tests/data/images/animations

import argparse
import io
import json
import pathlib
import random
import struct
import zlib

import numpy as np
from PIL import Image, ImageSequence


def encode(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def palette(count, seed):
    rng = random.Random(seed)
    return bytes(rng.randrange(256) for _ in range(3 * count))


def packed(indices, interlace):
    """The compressed pixels of a frame, code size included, out of a file that Pillow wrote."""
    image = Image.fromarray(indices, "P")
    image.putpalette([(i * k) % 256 for i in range(256) for k in (3, 5, 11)])
    data = encode(image, "GIF", interlace=int(interlace), optimize=False)
    at = data.index(b",", 13 + 3 * 256 if data[10] & 128 else 13)
    at += 10 + (3 * (2 << (data[at + 9] & 7)) if data[at + 9] & 128 else 0)
    return data[at:-1]


def table_bits(colours):
    return max(len(colours) // 3 - 1, 1).bit_length() - 1


def padded(colours):
    return colours + bytes(3 * (2 << table_bits(colours)) - len(colours))


def gif(frames, size, colours=None, background=0, trailer=b";"):
    """frames: dicts with pixels [h, w], and where wanted at, colours, clear, disposal, delay, interlace, control."""
    flags = 0x80 | table_bits(colours) if colours else 0
    out = b"GIF89a" + struct.pack("<HHBBB", *size, flags, background, 0) + (padded(colours) if colours else b"")
    out += b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
    for frame in frames:
        clear = frame.get("clear")
        if frame.get("control", True):
            bits = frame.get("disposal", 0) << 2 | (clear is not None)
            out += b"!\xf9\x04" + struct.pack("<BHB", bits, frame.get("delay", 5), clear or 0) + b"\0"
        pixels, own = frame["pixels"], frame.get("colours")
        flags = (0x80 | table_bits(own) if own else 0) | (0x40 if frame.get("interlace") else 0)
        out += b"," + struct.pack("<HHHHB", *frame.get("at", (0, 0)), pixels.shape[1], pixels.shape[0], flags)
        out += (padded(own) if own else b"") + packed(pixels, frame.get("interlace", False))
    return out + trailer


def noise(rng, width, height, colours):
    return np.array([[rng.randrange(colours) for _ in range(width)] for _ in range(height)], np.uint8)


def random_gif(seed):
    """One animation with everything drawn from the seed."""
    rng = random.Random(seed)
    width, height, colours = rng.randrange(3, 15), rng.randrange(3, 13), rng.choice([2, 4, 8, 16])
    ramp = bytes(i for i in range(16) for _ in range(3))
    choose = lambda share: rng.choice([palette(colours, rng.random()), ramp]) if rng.random() < share else None
    shared = choose(0.8)
    gray = shared in (None, ramp)
    frames = []
    for _ in range(rng.randrange(2, 7)):
        w, h = rng.randrange(1, width + 3), rng.randrange(1, height + 3)
        frames.append({
            "pixels": noise(rng, w, h, colours if rng.random() < 0.8 else 20),
            "at": (rng.randrange(0, 5), rng.randrange(0, 5)) if rng.random() < 0.7 else (0, 0),
            "colours": ramp if gray and rng.random() < 0.3 else None if gray else choose(0.3),
            "clear": rng.randrange(colours) if rng.random() < 0.5 else None,
            "disposal": rng.choice([0, 0, 1, 2, 2, 3, 3, 5]),
            "delay": rng.choice([0, 4, 10, 65535]),
            "interlace": rng.random() < 0.3,
            "control": rng.random() < 0.85,
        })
    return gif(frames, (width, height), shared, rng.randrange(colours))


def moving(mode, count=5, width=40, height=30):
    frames = []
    for step in range(count):
        frame = Image.new(mode, (width, height), (20, 90, 200, 60)[: len(mode)])
        colour = (250 - 40 * step, 40 * step, 30, 255 - 50 * step)[: len(mode)]
        frame.paste(colour, (step * 5, step * 3, step * 5 + 14, step * 3 + 11))
        frames.append(frame)
    return frames


def webp(frames, **options):
    return encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], **options)


def files():
    rng = random.Random(0)
    sixteen = palette(16, 1)
    plain = [{"pixels": noise(rng, 12, 10, 16), "delay": 7 + k} for k in range(3)]
    out = {f"random_{seed:02}.gif": random_gif(seed) for seed in range(70)}
    out |= {
        "plain.gif": gif(plain, (12, 10), sixteen),
        "no_trailer.gif": gif(plain, (12, 10), sixteen, trailer=b""),
        "one_frame.gif": gif(plain[:1], (12, 10), sixteen),
        "zero_screen.gif": gif(plain, (0, 0), sixteen),
        "written_by_pillow.gif": encode(moving("RGB")[0], "GIF", save_all=True, append_images=moving("RGB")[1:],
                                        duration=[40, 80, 120, 40, 1000], disposal=[0, 1, 2, 3, 0]),
        "lossless.webp": webp(moving("RGBA"), lossless=True, duration=[40, 80, 120, 40, 1000]),
        "lossy.webp": webp(moving("RGB"), quality=60, duration=100),
        "lossy_alpha.webp": webp(moving("RGBA"), quality=60, duration=33),
        "mixed.webp": webp(moving("RGBA"), allow_mixed=True, quality=40, minimize_size=True, duration=250),
        "key_frames.webp": webp(moving("RGB", 9), quality=50, kmin=1, kmax=3, duration=125),
        "background.webp": webp(moving("RGBA"), lossless=True, background=(255, 0, 255, 255), duration=10),
        "still.webp": encode(moving("RGB")[2], "WEBP", lossless=True),
    }
    return out


def frames_of(data):
    """Size, duration and checksum of every frame; None where Pillow fails or loses the colours of frames.

    It loses them where the first frame is gray and a later one has a palette, and fails where a gray frame makes
    a coloured canvas grow.
    """
    image = Image.open(io.BytesIO(data))
    frames, modes = [], set()
    for frame in ImageSequence.Iterator(image):
        modes.add(frame.mode)
        try:
            picture = frame.convert("RGB")
        except (AssertionError, ValueError):
            return None
        crc = f"{zlib.crc32(picture.tobytes()):08x}"
        frames.append([picture.width, picture.height, int(frame.info.get("duration", 0)), crc])
    return None if "L" in modes and len(modes) > 1 else frames


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="folder that gets the files")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, data in sorted(files().items()):
        frames = frames_of(data)
        if frames is None:
            continue
        rows.append({"file": name, "frames": frames})
        (folder / name).write_bytes(data)
    lines = ",\n".join(json.dumps(row) for row in rows)
    (folder / "animations.json").write_text(f'{{"rows": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
