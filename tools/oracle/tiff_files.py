# Encoded TIFF pictures of every kind that the decoder meets, small and made from integer formulas.
# In: nothing. Out: files() -> {name: bytes}. Strips, tiles, planes and tags are written by hand here; LZW, CCITT and
# JPEG data by Pillow. Reference: TIFF 6.0, and the table of modes in Pillow 12.3 TiffImagePlugin.py.

import struct
import zlib

import numpy as np
from image_files import XMP, encode, pattern
from image_files import image as picture

WIDTH, HEIGHT = 29, 21
BYTE, ASCII, SHORT, LONG, UNDEFINED, LONG8 = 1, 2, 3, 4, 7, 16
SIZES = {BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, UNDEFINED: 1, LONG8: 8}


def pack_bits(data):
    """PackBits: literals of up to 128 bytes, and one run where a row is of one byte."""
    if len(set(data)) == 1 and 2 <= len(data) <= 128:
        return bytes([257 - len(data)]) + data[:1]
    return b"".join(bytes([len(part) - 1]) + part for part in (data[i : i + 128] for i in range(0, len(data), 128)))


def row_bytes(samples, bits, order):
    """Samples [width, channels] -> bytes, each row padded to a byte; big-endian bits."""
    flat = samples.reshape(-1)
    if samples.dtype == np.float32:
        return flat.astype(order + "f4").tobytes()
    if bits in (8, 16, 32):
        return flat.astype(f"{order}u{bits // 8}").tobytes()
    spread = ((flat[:, None] >> np.arange(bits - 1, -1, -1)) & 1).astype(np.uint8)
    return np.packbits(spread.reshape(-1)).tobytes()


def pack_block(block, bits, order, compression, predictor):
    """A strip or tile [height, width, channels] as it stands in the file."""
    if predictor == 2:
        block = np.concatenate([block[:, :1], block[:, 1:] - block[:, :-1]], axis=1) % (1 << bits)
    rows = [row_bytes(row, bits, order) for row in block]
    if compression == 32773:
        return b"".join(map(pack_bits, rows))
    data = b"".join(rows)
    return zlib.compress(data, 9) if compression in (8, 32946) else data


def blocks_of(samples, rows, tile):
    """Strips of `rows` rows, or tiles (width, height) padded with zeros, in the file's order."""
    height, width = samples.shape[:2]
    if tile is None:
        return [samples[y : y + rows] for y in range(0, height, rows)]
    out = []
    for y in range(0, height, tile[1]):
        for x in range(0, width, tile[0]):
            block = np.zeros((tile[1], tile[0], samples.shape[2]), samples.dtype)
            part = samples[y : y + tile[1], x : x + tile[0]]
            block[: part.shape[0], : part.shape[1]] = part
            out.append(block)
    return out


def directory(tags, order, big, at):
    """One IFD at byte `at`: its bytes, with values that do not fit an entry behind it."""
    entry, room = (20, 8) if big else (12, 4)
    head = struct.pack(order + ("Q" if big else "H"), len(tags))
    end = at + len(head) + len(tags) * entry + room
    entries, extra = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        letter = {BYTE: "B", ASCII: "B", SHORT: "H", LONG: "I", UNDEFINED: "B", LONG8: "Q"}[kind]
        value = struct.pack(f"{order}{len(values)}{letter}", *values)
        entries += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, len(values))
        if len(value) <= room:
            entries += value.ljust(room, b"\0")
        else:
            entries += struct.pack(order + ("Q" if big else "I"), end + len(extra))
            extra += value + bytes(len(value) % 2)
    return head + entries + bytes(room) + extra


def tiff(samples, photometric, bits=8, order="<", compression=1, rows=16, tile=None, planar=1, extra=(), form=None,
         predictor=1, big=False, fill=None, more=None):
    """Samples [height, width, channels] as a TIFF file of one picture; `form` is the SampleFormat."""
    height, width, channels = samples.shape
    planes = [samples] if planar == 1 else [samples[:, :, c : c + 1] for c in range(channels)]
    data = [pack_block(b, bits, order, compression, predictor) for p in planes for b in blocks_of(p, rows, tile)]
    if fill == 2:
        turn = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))
        data = [part.translate(turn) for part in data]
    start = 16 if big else 8
    offsets = [start + sum(map(len, data[:i])) for i in range(len(data))]
    where = (LONG8 if big else LONG, offsets), (LONG, [len(part) for part in data])
    tags = {256: (LONG, [width]), 257: (LONG, [height]), 258: (SHORT, [bits] * channels), 259: (SHORT, [compression]),
            262: (SHORT, [photometric]), 277: (SHORT, [channels]), 284: (SHORT, [planar])}
    if tile is None:
        tags |= {273: where[0], 278: (LONG, [rows]), 279: where[1]}
    else:
        tags |= {322: (LONG, [tile[0]]), 323: (LONG, [tile[1]]), 324: where[0], 325: where[1]}
    if extra:
        tags[338] = (SHORT, list(extra))
    if form:
        tags[339] = (SHORT, [form] * channels)
    if predictor != 1:
        tags[317] = (SHORT, [predictor])
    if fill:
        tags[266] = (SHORT, [fill])
    tags |= more or {}
    body = b"".join(data)
    body += bytes(len(body) % 2)
    mark = b"II" if order == "<" else b"MM"
    at = start + len(body)
    head = mark + (struct.pack(order + "HHHQ", 43, 8, 0, at) if big else struct.pack(order + "HI", 42, at))
    return head + body + directory(tags, order, big, at)


def samples(channels, bits=8, width=WIDTH, height=HEIGHT):
    if bits == 16:
        y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
        return np.where((x + y) % 3 == 0, (x + y + c) % 256, (x * 1103 + y * 2909 + c * 977) % 65536)
    if bits == 12:
        return samples(channels, 16, width, height) % 4096
    if bits == 32:
        return samples(channels, 16, width, height) * 40001 % (1 << 32)
    return pattern(width, height, channels) >> (8 - bits)


def color_map(bits):
    count = 1 << bits
    return {320: (SHORT, [(i * k * 257 + 11) % 65536 for k in (7, 13, 29) for i in range(count)])}


def gray_files():
    files = {}
    for bits in (1, 2, 4, 8):
        files[f"gray_{bits}"] = tiff(samples(1, bits), 1, bits)
        files[f"gray_{bits}_white_is_zero"] = tiff(samples(1, bits), 0, bits, order=">")
        files[f"gray_{bits}_low_bit_first"] = tiff(samples(1, bits), bits // 4 % 2 if bits < 8 else 1, bits, fill=2)
    signed = samples(1, 16) - 32768
    floats = (samples(1, 16).astype(np.float32) / 97 - 100).astype(np.float32)
    files |= {
        "gray_8_signed": tiff(samples(1), 1, form=2),
        "gray_12": tiff(samples(1, 12), 1, 12),
        "gray_16": tiff(samples(1, 16), 1, 16),
        "gray_16_big_endian": tiff(samples(1, 16), 1, 16, order=">"),
        "gray_16_white_is_zero": tiff(samples(1, 16), 0, 16),
        "gray_16_deflate": tiff(samples(1, 16), 1, 16, compression=8, predictor=2),
        "gray_16_big_endian_deflate": tiff(samples(1, 16), 1, 16, order=">", compression=8),
        "gray_16_signed": tiff(signed % 65536, 1, 16, form=2),
        "gray_16_signed_big_endian": tiff(signed % 65536, 1, 16, order=">", form=2),
        "gray_16_signed_deflate": tiff(signed % 65536, 1, 16, form=2, compression=8),
        "gray_32": tiff(samples(1, 32), 1, 32),
        "gray_32_small": tiff(samples(1, 16) % 400, 1, 32),
        "gray_32_signed": tiff((samples(1, 16) % 600 - 100) % (1 << 32), 1, 32, form=2),
        "gray_32_signed_big_endian": tiff((samples(1, 16) % 600 - 100) % (1 << 32), 1, 32, order=">", form=2),
        "gray_float": tiff(floats, 1, 32, form=3),
        "gray_float_big_endian": tiff(floats, 1, 32, order=">", form=3),
        "gray_float_white_is_zero": tiff(floats, 0, 32, form=3),
        "gray_float_deflate": tiff(floats, 1, 32, form=3, compression=8),
        "gray_alpha": tiff(samples(2), 1, extra=[2]),
        "gray_alpha_deflate": tiff(samples(2), 1, extra=[2], compression=8),
    }
    return files


def color_files():
    files = {
        "rgb": tiff(samples(3), 2),
        "rgb_big_endian": tiff(samples(3), 2, order=">"),
        "rgb_big": tiff(samples(3), 2, big=True),
        "rgb_one_strip": tiff(samples(3), 2, rows=HEIGHT),
        "rgb_strips_of_one_row": tiff(samples(3), 2, rows=1),
        "rgb_tiles": tiff(samples(3), 2, tile=(16, 16)),
        "rgb_one_tile": tiff(samples(3), 2, tile=(64, 48)),
        "rgb_tiles_deflate": tiff(samples(3), 2, tile=(32, 16), compression=8, predictor=2),
        "rgb_planes": tiff(samples(3), 2, planar=2),
        "rgb_planes_deflate": tiff(samples(3), 2, planar=2, compression=8),
        "rgb_planes_tiles": tiff(samples(3), 2, planar=2, tile=(16, 32)),
        "rgb_planes_tiles_deflate": tiff(samples(3), 2, planar=2, tile=(16, 32), compression=32946),
        "rgb_packbits": tiff(samples(3), 2, compression=32773),
        "rgb_deflate_predicted": tiff(samples(3), 2, compression=8, predictor=2),
        "rgb_16": tiff(samples(3, 16), 2, 16),
        "rgb_16_big_endian": tiff(samples(3, 16), 2, 16, order=">"),
        "rgb_16_deflate": tiff(samples(3, 16), 2, 16, compression=8),
        "rgb_16_planes_deflate": tiff(samples(3, 16), 2, 16, planar=2, compression=8),
        "rgba_16": tiff(samples(4, 16), 2, 16, extra=[2]),
        "rgba_16_premultiplied": tiff(samples(4, 16), 2, 16, extra=[1]),
        "rgbx_16": tiff(samples(4, 16), 2, 16, extra=[0]),
        "rgba": tiff(samples(4), 2, extra=[2]),
        "rgba_planes_deflate": tiff(samples(4), 2, extra=[2], planar=2, compression=8),
        "rgba_premultiplied": tiff(samples(4), 2, extra=[1]),
        "rgba_premultiplied_deflate": tiff(samples(4), 2, extra=[1], compression=8),
        "rgba_premultiplied_planes_deflate": tiff(samples(4), 2, extra=[1], planar=2, compression=8),
        "rgba_without_extra": tiff(samples(4), 2),
        "rgba_corel": tiff(samples(4), 2, extra=[999]),
        "rgbx": tiff(samples(4), 2, extra=[0]),
        "rgbxxx": tiff(samples(6), 2, extra=[0, 0, 0]),
        "rgbaxx": tiff(samples(6), 2, extra=[2, 0, 0]),
        "rgba_premultiplied_x": tiff(samples(5), 2, extra=[1, 0]),
        "cmyk": tiff(samples(4), 5),
        "cmyk_deflate": tiff(samples(4), 5, compression=8),
        "cmyk_planes_deflate": tiff(samples(4), 5, compression=8, planar=2),
        "cmyk_16": tiff(samples(4, 16), 5, 16),
        "cmykx": tiff(samples(5), 5, extra=[0]),
        "1x1": tiff(samples(3, 8, 1, 1), 2),
        "300x1": tiff(samples(3, 8, 300, 1), 2, compression=8),
        "two_pages": two_pages(),
    }
    for bits in (1, 2, 4, 8):
        files[f"palette_{bits}"] = tiff(samples(1, bits), 3, bits, more=color_map(bits))
    files["palette_4_deflate"] = tiff(samples(1, 4), 3, 4, compression=8, more=color_map(4))
    files["palette_alpha"] = tiff(samples(2), 3, extra=[2], more=color_map(8))
    files["palette_x"] = tiff(samples(2), 3, extra=[0], more=color_map(8))
    return files


def two_pages():
    """The first of two pages; the directory's last field leads to the second."""
    second = tiff(samples(1, 8, 20, 10), 1)
    first = bytearray(tiff(samples(3), 2))
    (at,) = struct.unpack_from("<I", first, 4)
    (count,) = struct.unpack_from("<H", first, at)
    struct.pack_into("<I", first, at + 2 + count * 12, struct.unpack_from("<I", second, 4)[0])
    return bytes(first)


def turned_files():
    xmp = list(XMP % 6)
    files = {f"orientation_{i}": tiff(samples(3), 2, more={274: (SHORT, [i])}) for i in range(2, 9)}
    files["orientation_9"] = tiff(samples(3), 2, more={274: (SHORT, [9])})
    files["orientation_6_deflate"] = tiff(samples(3), 2, compression=8, more={274: (SHORT, [6])})
    files["orientation_5_tiles_gray"] = tiff(samples(1), 1, tile=(16, 16), more={274: (SHORT, [5])})
    files["xmp_6"] = tiff(samples(3), 2, more={700: (BYTE, xmp)})
    files["xmp_6_orientation_3"] = tiff(samples(3), 2, more={274: (SHORT, [3]), 700: (BYTE, xmp)})
    return files


def pillow_files():
    rgb, gray, cmyk = (picture(mode, WIDTH, HEIGHT) for mode in ("RGB", "L", "CMYK"))
    bilevel = gray.point(lambda v: 255 * (v > 110)).convert("1")
    files = {f"bilevel_{kind}": encode(bilevel, "TIFF", compression=kind) for kind in ("tiff_ccitt", "group3", "group4")}
    files |= {
        "bilevel_lzw": encode(bilevel, "TIFF", compression="tiff_lzw"),
        "rgb_lzw": encode(rgb, "TIFF", compression="tiff_lzw"),
        "rgb_lzw_predicted": encode(rgb, "TIFF", compression="tiff_lzw", tiffinfo={317: 2}),
        "gray_lzw": encode(gray, "TIFF", compression="tiff_lzw"),
        "rgb_lzma": encode(rgb, "TIFF", compression="lzma"),
        "rgb_zstd": encode(rgb, "TIFF", compression="zstd"),
        "rgb_jpeg": encode(rgb, "TIFF", compression="jpeg", quality=80),
        "rgb_jpeg_strips": encode(rgb, "TIFF", compression="jpeg", quality=80, strip_size=WIDTH * 3 * 16),
        "gray_jpeg": encode(gray, "TIFF", compression="jpeg", quality=80),
        "cmyk_jpeg": encode(cmyk, "TIFF", compression="jpeg", quality=80),
        "ycbcr_lzw": encode(rgb.convert("YCbCr"), "TIFF", compression="tiff_lzw"),
        "ycbcr_deflate_turned": encode(rgb.convert("YCbCr"), "TIFF", compression="tiff_adobe_deflate", tiffinfo={274: 8}),
    }
    return files


def files():
    """Every picture by file name."""
    return {f"tiff_{n}.tif": d for n, d in (gray_files() | color_files() | turned_files() | pillow_files()).items()}
