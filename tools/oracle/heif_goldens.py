# Goldens of HEIC and AVIF pictures. In: the folder tests/data/images. Out: small encoded pictures there, and heif.json
# with sizes and CRC-32 of the RGB bytes that the reference gives for them.
# Needs pillow-heif, and avifenc (Debian's libavif-bin) for what Pillow cannot write.
# Reference: Pillow 12.3 for AVIF, pillow-heif 1.8.1 with libheif 1.23.6 for HEIC; transformers 5.18 load_image.

import argparse
import pathlib
import subprocess
import tempfile

import image_goldens
import numpy as np
import pillow_heif
import PIL
import transformers
from image_files import encode, exif, image, palette_image, pattern
from PIL import Image
from transformers.image_utils import load_image

ICC = bytes(128)  # nobody reads it
WIDTH, HEIGHT = 54, 38  # what a camera writes: even, and no multiple of a block


def picture(mode, width=WIDTH, height=HEIGHT):
    return image(mode, width, height)


def heic_files():
    rgb, odd = picture("RGB"), picture("RGB", 53, 37)

    def save(source, **options):
        return encode(source, "HEIF", **{"quality": 60, **options})

    files = {
        "420": save(rgb),
        "422": save(rgb, chroma=422),
        "444": save(rgb, chroma=444),
        "420_odd": save(odd),
        "422_odd": save(odd, chroma=422),
        "lossless": save(rgb, quality=-1, chroma=444),
        "alpha": save(picture("RGBA")),
        "gray": save(picture("L")),
        "icc": save(rgb, save_nclx_profile=False, icc_profile=ICC),
        "icc_limited": save(rgb, save_nclx_profile=False, icc_profile=ICC, full_range_flag=0),
        "limited": save(rgb, full_range_flag=0),
        "limited_444": save(rgb, full_range_flag=0, chroma=444),
        "bt709": save(rgb, matrix_coefficients=1),
        "bt709_limited": save(rgb, matrix_coefficients=1, full_range_flag=0),
        "bt2020": save(rgb, matrix_coefficients=9),
        "smpte240": save(rgb, matrix_coefficients=7),
        "tall": save(picture("RGB", 20, 150)),
    }
    wide = picture("RGB", 130, 70)
    files["grid"] = save(wide, tile_size=64)
    files["grid_icc_turned"] = save(wide, tile_size=64, save_nclx_profile=False, icc_profile=ICC, exif=exif(6))
    for value in range(2, 9):
        files[f"turned_{value}"] = save(rgb, exif=exif(value))
    deep_rgb = pillow_heif.from_bytes("RGB;16", (WIDTH, HEIGHT), pattern(WIDTH, HEIGHT, 3, 257).astype("<u2").tobytes())
    deep_gray = pillow_heif.from_bytes("L;16", (WIDTH, HEIGHT), pattern(WIDTH, HEIGHT, 1, 257).astype("<u2").tobytes())
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "deep.heic"

        def deep(source, **options):
            source.save(path, quality=60, **options)
            return path.read_bytes()

        files["10_bit"] = deep(deep_rgb)
        files["10_bit_444"] = deep(deep_rgb, chroma=444)
        files["10_bit_limited"] = deep(deep_rgb, full_range_flag=0)
        files["10_bit_gray"] = deep(deep_gray)
        pillow_heif.options.SAVE_HDR_TO_12_BIT = True
        files["12_bit"] = deep(deep_rgb)
    return {f"heic_{name}.heic": data for name, data in files.items()}


def avifenc(source, *options):
    """Pixels through avifenc, which writes depths and matrices that Pillow does not."""
    with tempfile.TemporaryDirectory() as folder:
        plain, packed = pathlib.Path(folder) / "in.png", pathlib.Path(folder) / "out.avif"
        source.save(plain)
        command = ["avifenc", "--jobs", "1", "--speed", "8", "--min", "20", "--max", "24", *options, plain, packed]
        subprocess.run(command, check=True, capture_output=True)
        return packed.read_bytes()


def avif_files():
    rgb, rgba, odd = picture("RGB"), picture("RGBA"), picture("RGB", 53, 37)

    def save(source, **options):
        return encode(source, "AVIF", **{"quality": 70, "speed": 8, **options})

    files = {
        "420": save(rgb),
        "422": save(rgb, subsampling="4:2:2"),
        "444": save(rgb, subsampling="4:4:4"),
        "420_odd": save(odd),
        "422_odd": save(odd, subsampling="4:2:2"),
        "420_alpha": save(rgba),
        "444_alpha": save(rgba, subsampling="4:4:4"),
        "gray": save(picture("L")),
        "gray_limited": save(picture("L"), range="limited"),
        "gray_alpha": save(Image.merge("LA", (picture("L"), picture("L"))).convert("RGBA"), subsampling="4:0:0"),
        "limited": save(rgb, range="limited"),
        "limited_alpha": save(rgba, range="limited"),
        "icc": save(rgb, icc_profile=ICC),
        "gray_limited_alpha": save(Image.merge("LA", (picture("L"), picture("L"))).convert("RGBA"),
                                   subsampling="4:0:0", range="limited"),
        "palette": save(palette_image()),
        "two_frames": save(rgb, save_all=True, append_images=[rgb.rotate(180)]),
        "1x1": save(picture("RGB", 1, 1)),
        "2x3": save(picture("RGB", 2, 3)),
        "1x40": save(picture("RGB", 1, 40)),
        "tall": save(picture("RGB", 20, 150)),
        "bt709": avifenc(rgb, "--yuv", "420", "--cicp", "1/13/1"),
        "bt709_limited": avifenc(rgb, "--yuv", "420", "--cicp", "1/13/1", "--range", "limited"),
        "bt2020": avifenc(rgb, "--yuv", "444", "--cicp", "9/16/9"),
        "bt2020_limited": avifenc(rgb, "--yuv", "420", "--cicp", "9/16/9", "--range", "limited"),
        "lossless": avifenc(rgb, "--lossless"),
        "10_bit": avifenc(rgb, "--yuv", "420", "--depth", "10"),
        "10_bit_alpha": avifenc(rgba, "--yuv", "420", "--depth", "10"),
        "10_bit_444_alpha": avifenc(rgba, "--yuv", "444", "--depth", "10"),
        "12_bit": avifenc(rgb, "--yuv", "422", "--depth", "12"),
        "12_bit_alpha": avifenc(rgba, "--yuv", "420", "--depth", "12"),
        "12_bit_422_alpha": avifenc(rgba, "--yuv", "422", "--depth", "12"),
        "10_bit_limited": avifenc(rgb, "--yuv", "420", "--depth", "10", "--range", "limited"),
        "10_bit_gray": avifenc(picture("L"), "--yuv", "400", "--depth", "10"),
        "grid": avifenc(picture("RGB", 128, 64), "--yuv", "420", "--grid", "2x1"),
        "cropped": avifenc(rgb, "--yuv", "420", "--clap", "38,1,30,1,0,1,0,1"),
    }
    for value in range(2, 9):
        files[f"turned_{value}"] = save(rgb, exif=exif(value)[6:])
    files["turned_6_odd"] = save(odd, exif=exif(6)[6:])
    return {f"avif_{name}.avif": data for name, data in files.items()}


def main():
    parser = argparse.ArgumentParser(description="Makes the goldens of HEIC and AVIF pictures.")
    parser.add_argument("-o", "--out", type=pathlib.Path, required=True, help="folder of the test images")
    folder = parser.parse_args().out
    pillow_heif.register_heif_opener()
    rows = []
    for name, data in sorted((heic_files() | avif_files()).items()):
        (folder / name).write_bytes(data)
        rgb = load_image(str(folder / name))
        crc = image_goldens.crc(np.array(rgb))
        rows.append({"file": name, "width": rgb.width, "height": rgb.height, "crc32": crc})
    made_with = {
        "transformers": transformers.__version__,
        "pillow": PIL.__version__,
        "pillow_heif": pillow_heif.__version__,
        "libheif": pillow_heif.libheif_version(),
    }
    image_goldens.write(folder / "heif.json", {"made_with": made_with, "rows": rows})


if __name__ == "__main__":
    main()
