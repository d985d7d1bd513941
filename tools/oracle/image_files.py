# Encoded pictures of every kind that the decoders meet, small and made from integer formulas.
# In: nothing. Out: files() -> {name: bytes}. Pillow encodes what it can; the rest is written by hand here: PNG of
# any depth and interlace, BMP, EXIF blocks. Reference: PNG (ISO 15948), BMP as Pillow 12.3 reads it.

import io
import itertools
import struct
import zlib

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 53, 37  # odd, and no multiple of a block or a byte


def pattern(width, height, channels, scale=1):
    """Bytes [height, width, channels] with slopes and edges, the same in every run; scale 257 fills 16 bits."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    smooth = (x * 3 + y * 5 + c * 40) % 256
    edges = ((x // 9 + y // 7 + c) % 3) * 100
    values = np.where((x + 2 * y) % 23 < 15, smooth, edges) % 256
    return values * scale


def image(mode, width=WIDTH, height=HEIGHT):
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    data = pattern(width, height, channels).astype(np.uint8)
    return Image.fromarray(data[:, :, 0] if channels == 1 else data, mode)


def palette_image(colors=200, width=WIDTH, height=HEIGHT):
    picture = Image.fromarray((pattern(width, height, 1)[:, :, 0] % colors).astype(np.uint8), "P")
    picture.putpalette([(i * k) % 256 for i in range(colors) for k in (7, 13, 29)])
    return picture


def encode(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def exif(orientation, order="<", kind=3, extra=()):
    """A TIFF block with one directory: the orientation as SHORT (3) or LONG (4), then other entries."""
    mark = b"II" if order == "<" else b"MM"
    entries = [struct.pack(order + ("HHIHH" if kind == 3 else "HHII"), 0x0112, kind, 1, orientation, *([0] * (kind == 3)))]
    entries += [struct.pack(order + "HHII", *entry) for entry in extra]
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries) + struct.pack(order + "I", 0)
    return b"Exif\0\0" + mark + struct.pack(order + "HI", 42, 8) + directory


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="%d"/></x:xmpmeta>'


# JPEG -------------------------------------------------------------------------------------------------------------


def jpeg_segment(data, marker, body):
    """The file with one more segment right after its start."""
    return data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + data[2:]


def drop_segment(data, marker):
    at = data.index(bytes([0xFF, marker]))
    (length,) = struct.unpack(">H", data[at + 2 : at + 4])
    return data[:at] + data[at + 2 + length :]


def resampled(data, factors, width, height):
    """Declares other sampling factors of the first component; the blocks per unit must stay as many."""
    at = data.index(b"\xff\xc0")
    head = bytearray(data)
    head[at + 5 : at + 9] = struct.pack(">HH", height, width)
    head[at + 11] = factors
    return bytes(head)


def jpeg_files():
    rgb, gray, cmyk = image("RGB"), image("L"), image("CMYK")
    files = {
        "gray": encode(gray, "JPEG", quality=80),
        "444": encode(rgb, "JPEG", quality=90, subsampling=0),
        "422": encode(rgb, "JPEG", quality=75, subsampling=1),
        "420": encode(rgb, "JPEG", quality=75, subsampling=2),
        "420_quality5": encode(rgb, "JPEG", quality=5, subsampling=2),
        "444_quality100": encode(rgb, "JPEG", quality=100, subsampling=0),
        "progressive_420": encode(rgb, "JPEG", quality=70, progressive=True, subsampling=2),
        "progressive_gray": encode(gray, "JPEG", quality=70, progressive=True),
        "optimized": encode(rgb, "JPEG", quality=60, optimize=True),
        "restart_rows": encode(rgb, "JPEG", quality=75, restart_marker_rows=1),
        "restart_blocks": encode(rgb, "JPEG", quality=75, subsampling=0, restart_marker_blocks=3),
        "rgb_colors": encode(rgb, "JPEG", quality=85, keep_rgb=True),
        "cmyk": encode(cmyk, "JPEG", quality=85),
        "1x1": encode(image("RGB", 1, 1), "JPEG"),
        "1x40": encode(image("RGB", 1, 40), "JPEG", subsampling=2),
        "33x1": encode(image("RGB", 33, 1), "JPEG", subsampling=2),
    }
    wide = encode(image("RGB", 96, 40), "JPEG", quality=75, subsampling=1)
    files["440"] = resampled(wide, 0x12, 45, 77)
    files["411"] = resampled(encode(image("RGB", 64, 64), "JPEG", quality=75, subsampling=2), 0x41, 126, 31)
    ycck = bytearray(files["cmyk"])
    ycck[files["cmyk"].index(b"Adobe") + 11] = 2
    files["ycck"] = bytes(ycck)
    files["cmyk_without_adobe"] = drop_segment(files["cmyk"], 0xEE)
    base = encode(rgb, "JPEG", quality=75)
    for value in range(1, 9):
        files[f"exif_{value}"] = jpeg_segment(base, 0xE1, exif(value, "<" if value % 2 else ">"))
    tall = {mode: encode(image(mode, 40, 150), "JPEG", quality=75) for mode in ("RGB", "L", "CMYK")}
    for mode, value in (("RGB", 1), ("RGB", 3), ("RGB", 6), ("RGB", 8), ("L", 1), ("L", 7), ("CMYK", 4), ("CMYK", 5)):
        files[f"tall_{mode.lower()}_exif_{value}"] = jpeg_segment(tall[mode], 0xE1, exif(value))
    files["exif_long"] = jpeg_segment(base, 0xE1, exif(6, kind=4))
    files["exif_9"] = jpeg_segment(base, 0xE1, exif(9))
    files["exif_offset_past_end"] = jpeg_segment(base, 0xE1, exif(6, extra=[(0x8769, 4, 1, 1 << 30)]))
    files["exif_directory_past_end"] = jpeg_segment(base, 0xE1, b"Exif\0\0II*\0" + struct.pack("<I", 1 << 20))
    loop = bytearray(exif(8, extra=[(0x8769, 4, 1, 8)]))
    loop[-4:] = struct.pack("<I", 8)
    files["exif_loop"] = jpeg_segment(base, 0xE1, bytes(loop))
    files["exif_short"] = jpeg_segment(base, 0xE1, exif(6)[:17])
    files["xmp_6"] = jpeg_segment(base, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP % 6)
    files["comment"] = jpeg_segment(base, 0xFE, b"a comment")
    return {f"jpeg_{name}.jpg": data for name, data in files.items()}


# PNG --------------------------------------------------------------------------------------------------------------


def png_chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def pack_row(samples, depth):
    """Samples [width, channels] -> bytes, big-endian."""
    flat = samples.reshape(-1)
    if depth == 16:
        return flat.astype(">u2").tobytes()
    if depth == 8:
        return flat.astype(np.uint8).tobytes()
    bits = ((flat[:, None] >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8)
    return np.packbits(bits.reshape(-1)).tobytes()


def filter_row(kind, row, previous, step):
    out = bytearray([kind])
    for i, value in enumerate(row):
        left = row[i - step] if i >= step else 0
        up = previous[i]
        corner = previous[i - step] if i >= step else 0
        guess = left + up - corner
        nearest = min((abs(guess - v), n) for n, v in enumerate((left, up, corner)))[1]
        out.append((value - (0, left, up, (left + up) // 2, (left, up, corner)[nearest])[kind]) & 255)
    return bytes(out)


def png_pass(samples, depth):
    """All five row filters in turn."""
    step = max(1, samples.shape[2] * depth // 8)
    previous, out = None, b""
    for index, row in enumerate(samples):
        packed = pack_row(row, depth)
        out += filter_row(index % 5, packed, previous or bytes(len(packed)), step)
        previous = packed
    return out


ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png(kind, depth, width=WIDTH, height=HEIGHT, interlace=False, before=(), after=(), colors=None):
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    if depth == 16:
        y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
        samples = np.where((x + y) % 3 == 0, (x + y + c) % 256, (x * 1103 + y * 2909 + c * 977) % 65536)
    else:
        samples = pattern(width, height, channels) >> (8 - depth)
    body = b""
    if kind == 3:
        count = colors or (1 << depth)
        before = [(b"PLTE", bytes((i * k + 11) % 256 for i in range(count) for k in (7, 13, 29))), *before]
    if interlace:
        for x0, y0, dx, dy in ADAM7:
            if x0 < width and y0 < height:
                body += png_pass(samples[y0::dy, x0::dx], depth)
    else:
        body = png_pass(samples, depth)
    out = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace))
    out += b"".join(itertools.starmap(png_chunk, before))
    packed = zlib.compress(body, 9)
    out += png_chunk(b"IDAT", packed[: len(packed) // 2]) + png_chunk(b"IDAT", packed[len(packed) // 2 :])
    return out + b"".join(itertools.starmap(png_chunk, after)) + png_chunk(b"IEND", b"")


def raw_profile(block):
    """An EXIF block as ImageMagick writes it into a text chunk."""
    digits = block.hex()
    lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
    return f"\nexif\n{len(block):8}\n".encode() + "\n".join(lines).encode() + b"\n"


def png_orientation_files():
    """Orientations in chunks of text, before and after the pixels, alone and beside others."""
    key, xmp = b"Raw profile type exif\0", b"XML:com.adobe.xmp\0"
    plain = (b"tEXt", key + raw_profile(exif(6)))
    packed = (b"zTXt", key + b"\0" + zlib.compress(raw_profile(exif(5, ">"))))
    unset = exif(0)
    files = {
        "raw_exif_text": {"before": [plain]},
        "raw_exif_text_after": {"after": [plain]},
        "raw_exif_packed": {"before": [packed]},
        "raw_exif_packed_after": {"after": [packed]},
        "raw_exif_packed_short": {"before": [(b"zTXt", key + b"\0" + zlib.compress(raw_profile(exif(6)) + b"\n" * 99, 0)[:-50])]},
        "raw_exif_packed_damaged": {"before": [plain, (b"zTXt", key + b"\0not zlib at all")]},
        "raw_exif_international": {"before": [(b"iTXt", key + b"\0\0de\0\0" + raw_profile(exif(8)))]},
        "raw_exif_international_packed": {"after": [(b"iTXt", key + b"\1\0\0\0" + zlib.compress(raw_profile(exif(7))))]},
        "raw_exif_international_damaged": {"before": [plain, (b"iTXt", key + b"\1\0\0\0not zlib at all")]},
        "raw_exif_spaced": {"before": [(b"tEXt", key + b"a\nb\nc\n" + exif(6).hex(" ").upper().encode())]},
        "raw_exif_two_lines": {"before": [(b"tEXt", key + b"a\n" + exif(6).hex().encode())]},
        "raw_exif_last_counts": {"before": [plain], "after": [(b"tEXt", key + raw_profile(exif(3)))]},
        "raw_exif_beside_exif": {"before": [plain], "after": [(b"eXIf", exif(3)[6:])]},
        "raw_exif_beside_unset_exif": {"before": [plain, (b"eXIf", unset[6:])]},
        "raw_exif_beside_xmp": {"before": [plain, (b"iTXt", xmp + b"\0\0\0\0" + XMP % 3)]},
        "text_exif": {"before": [plain, (b"tEXt", b"exif\0" + exif(3))]},
        "text_exif_empty": {"before": [plain, (b"tEXt", b"exif")]},
        "text_xmp": {"before": [(b"tEXt", xmp + XMP % 6)]},
        "text_xmp_packed": {"after": [(b"zTXt", xmp + b"\0" + zlib.compress(XMP % 6))]},
        "xmp_last_counts": {"before": [(b"iTXt", xmp + b"\0\0\0\0" + XMP % o) for o in (3, 6)]},
        "xmp_beside_unset_exif": {"before": [(b"eXIf", unset[6:]), (b"iTXt", xmp + b"\0\0\0\0" + XMP % 6)]},
        "other_text": {"before": [(b"tEXt", b"Raw profile type xmp\0" + raw_profile(exif(6)))]},
    }
    files = {name: png(0, 8, 31, 20, **chunks) for name, chunks in files.items()}
    files["exif_behind_end"] = png(0, 8, 31, 20) + png_chunk(b"eXIf", exif(6)[6:])
    moving = encode(image("L", 31, 20), "PNG", save_all=True, append_images=[image("L", 31, 20).rotate(180)])
    for name, mark in (("animated_raw_exif", b"IDAT"), ("animated_raw_exif_after", b"fcTL"), ("animated_raw_exif_late", b"IEND")):
        at = (moving.rindex if name.endswith("after") else moving.index)(mark) - 4
        files[name] = moving[:at] + png_chunk(*plain) + moving[at:]
    return files


def png_files():
    files = png_orientation_files()
    for kind, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        name = {0: "gray", 2: "rgb", 3: "palette", 4: "gray_alpha", 6: "rgba"}[kind]
        for depth in depths:
            files[f"{name}_{depth}"] = png(kind, depth)
            if depth in (2, 8, 16):
                files[f"{name}_{depth}_interlaced"] = png(kind, depth, interlace=True)
    block = exif(6)[6:]
    files |= {
        "palette_8_few_colors": png(3, 8, colors=100),
        "palette_8_transparent": png(3, 8, before=[(b"tRNS", bytes(range(0, 250, 5)))]),
        "palette_4_one_transparent": png(3, 4, before=[(b"tRNS", b"\xff\xff\0")]),
        "gray_8_transparent": png(0, 8, before=[(b"tRNS", b"\0\x64")]),
        "rgb_8_transparent": png(2, 8, before=[(b"tRNS", b"\0\0\0\x28\0\x50")]),
        "rgb_8_gamma": png(2, 8, before=[(b"gAMA", struct.pack(">I", 100000)), (b"sRGB", b"\0")]),
        "rgb_8_profile": png(2, 8, before=[(b"iCCP", b"p\0\0" + zlib.compress(b"not a profile"))]),
        "rgb_8_exif": png(2, 8, before=[(b"eXIf", block)]),
        "rgb_8_exif_after": png(2, 8, after=[(b"eXIf", block)]),
        "rgb_8_xmp": png(2, 8, before=[(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP % 8)]),
        "rgba_1x1_interlaced": png(6, 8, 1, 1, interlace=True),
        "gray_1_3x200_interlaced": png(0, 1, 3, 200, interlace=True),
        "rgb_8_1x300": png(2, 8, 1, 300),
    }
    files["rgb_8_no_end"] = files["rgb_8"][:-12]
    frames = [image("RGBA"), image("RGBA").rotate(180)]
    files["animated"] = encode(frames[0], "PNG", save_all=True, append_images=frames[1:])
    return {f"png_{name}.png": data for name, data in files.items()}


# GIF, WebP ---------------------------------------------------------------------------------------------------------


def gif_frame_at(data, left, top, screen):
    """Moves the first frame and declares another screen size."""
    head = bytearray(data)
    head[6:10] = struct.pack("<HH", *screen)
    at = data.index(b",", 13 + 3 * (2 << (data[10] & 7)))
    head[at + 1 : at + 5] = struct.pack("<HH", left, top)
    return bytes(head)


def gif_files():
    plain = encode(palette_image(), "GIF", interlace=False)
    clear = encode(palette_image(100), "GIF", transparency=9, interlace=False)
    second = palette_image(60).rotate(180)
    second.putpalette([(i * k) % 256 for i in range(60) for k in (3, 5, 11)])
    gray = Image.fromarray(pattern(WIDTH, HEIGHT, 1)[:, :, 0].astype(np.uint8), "L")
    files = {
        "plain": plain,
        "interlaced": encode(palette_image(), "GIF", interlace=True),
        "transparent": clear,
        "gray": encode(gray, "GIF"),
        "two_colors": encode(palette_image(2), "GIF"),
        "animated": encode(palette_image(90), "GIF", save_all=True, append_images=[second], duration=50, disposal=2),
        "offset": gif_frame_at(plain, 7, 5, (WIDTH + 20, HEIGHT + 11)),
        "offset_transparent": gif_frame_at(clear, 3, 9, (WIDTH + 20, HEIGHT + 11)),
        "beyond_screen": gif_frame_at(clear, 4, 6, (20, 10)),
        "no_trailer": plain[:-1],
        "1x1": encode(palette_image(4, 1, 1), "GIF"),
        "3x7_interlaced": encode(palette_image(30, 3, 7), "GIF", interlace=True),
    }
    table = 3 * (2 << (plain[10] & 7))
    at = plain.index(b",", 13 + table)
    local = plain[:10] + bytes([plain[10] & 0x70]) + plain[11:13] + plain[13 + table : at + 9]
    files["local_palette"] = local + bytes([0x80 | (plain[10] & 7)]) + plain[13 : 13 + table] + plain[at + 10 :]
    files["no_palette"] = local + b"\0" + plain[at + 10 :]
    return {f"gif_{name}.gif": data for name, data in files.items()}


def webp_files():
    rgb, rgba = image("RGB"), image("RGBA")
    block = exif(5)
    files = {
        "lossy": encode(rgb, "WEBP", quality=60),
        "lossy_quality100": encode(rgb, "WEBP", quality=100),
        "lossy_alpha": encode(rgba, "WEBP", quality=60),
        "lossless": encode(rgb, "WEBP", lossless=True),
        "lossless_alpha": encode(rgba, "WEBP", lossless=True, exact=True),
        "exif": encode(rgb, "WEBP", quality=80, exif=block),
        "xmp": encode(rgb, "WEBP", quality=80, xmp=XMP % 3),
        "animated": encode(rgba, "WEBP", save_all=True, append_images=[rgba.rotate(180)], duration=40, lossless=True),
        "1x1": encode(image("RGB", 1, 1), "WEBP"),
        "300x2": encode(image("RGB", 300, 2), "WEBP", quality=50),
    }
    return {f"webp_{name}.webp": data for name, data in files.items()}


# BMP --------------------------------------------------------------------------------------------------------------


def bmp(bits, width=WIDTH, height=HEIGHT, header=40, compression=0, palette=b"", masks=(), data=None, top_down=False, colors=0, zero_offset=False):
    if data is None:
        stride = (width * bits + 31) // 32 * 4
        y, x = np.meshgrid(np.arange(height), np.arange(stride), indexing="ij")
        data = ((x * 37 + y * 91 + (x * y) % 17) % 256).astype(np.uint8).tobytes()
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, -height if top_down else height, 1, bits, compression, len(data), 2835, 2835, colors, 0)
        info += struct.pack(f"<{len(masks)}I", *masks)
        info += bytes(max(0, header - len(info)))
    offset = 0 if zero_offset else 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", 14 + len(info) + len(palette) + len(data), 0, 0, offset) + info + palette + data


def bmp_palette(count, bytes_each=4):
    return b"".join(bytes([(i * 29) % 256, (i * 13) % 256, (i * 7 + 3) % 256, 0][:bytes_each]) for i in range(count))


def rle8():
    """13x4: runs, a literal of odd length, a move, an end of row, a run over the row's end."""
    return bytes([13, 5, 0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 8, 9, 0, 0, 0, 2, 6, 1, 7, 3, 20, 8, 0, 1])


def rle4():
    """10x3: alternating nibbles, a literal of six, ends of rows."""
    return bytes([10, 0x12, 0, 0, 0, 6, 0x34, 0x56, 0x78, 0, 4, 0x9A, 0, 0, 7, 0xBC, 3, 0xDD, 0, 1])


def rle4_odd():
    """10x3 with a literal of five, whose last byte holds one pixel; Pillow 12 takes that byte for a run's length."""
    return bytes([10, 0x12, 0, 0, 0, 5, 0x34, 0x56, 0x70, 0, 0, 0, 10, 0xBC, 0, 1])


def bmp_files():
    ramp = b"".join(bytes([i, i, i, 0]) for i in range(256))
    black_white = b"\0\0\0\0\xff\xff\xff\0"
    files = {
        "1_bit": bmp(1, palette=bmp_palette(2)),
        "1_bit_black_white": bmp(1, palette=black_white),
        "4_bit": bmp(4, palette=bmp_palette(16)),
        "8_bit": bmp(8, palette=bmp_palette(256)),
        "8_bit_few_colors": bmp(8, palette=bmp_palette(40), colors=40),
        "8_bit_gray": bmp(8, palette=ramp),
        "8_bit_os2": bmp(8, header=12, palette=bmp_palette(256, 3)),
        "24_bit_os2": bmp(24, header=12),
        "16_bit": bmp(16),
        "16_bit_565": bmp(16, compression=3, masks=(0xF800, 0x7E0, 0x1F)),
        "16_bit_555_fields": bmp(16, header=56, compression=3, masks=(0x7C00, 0x3E0, 0x1F, 0x8000)),
        "24_bit": bmp(24),
        "24_bit_top_down": bmp(24, top_down=True),
        "24_bit_zero_offset": bmp(24, zero_offset=True),
        "32_bit": bmp(32),
        "32_bit_fields": bmp(32, header=124, compression=3, masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
        "32_bit_fields_abgr": bmp(32, header=108, compression=3, masks=(0xFF000000, 0xFF0000, 0xFF00, 0xFF)),
        "32_bit_fields_rgba": bmp(32, header=56, compression=3, masks=(0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
        "32_bit_fields_bgxr": bmp(32, header=52, compression=3, masks=(0xFF000000, 0xFF00, 0xFF)),
        "32_bit_fields_zero": bmp(32, header=56, compression=3, masks=(0, 0, 0, 0)),
        "rle8": bmp(8, 13, 4, compression=1, palette=bmp_palette(256), data=rle8()),
        "rle8_gray": bmp(8, 13, 4, compression=1, palette=ramp, data=rle8()),
        "rle4": bmp(4, 10, 3, compression=2, palette=bmp_palette(16), data=rle4()),
        "rle4_odd_literal": bmp(4, 10, 3, compression=2, palette=bmp_palette(16), data=rle4_odd()),
        "rle4_literal_over_end": bmp(4, 10, 3, compression=2, palette=bmp_palette(16), data=bytes([10, 0x12, 10, 0x34, 0, 200]) + bytes(range(100))),
        "rle8_black_white": bmp(8, 13, 4, compression=1, palette=black_white, data=rle8(), colors=2),
        "8_bit_black": bmp(8, palette=bytes(4), colors=1),
        "v4_header": bmp(24, header=108),
        "no_last_padding": bmp(24, 5, 4)[:-1],
        "1x1": bmp(24, 1, 1),
    }
    return {f"bmp_{name}.bmp": data for name, data in files.items()}


def files():
    """Every picture by file name."""
    return jpeg_files() | png_files() | gif_files() | webp_files() | bmp_files()
