# Goldens of videos in containers. In: the folder tests/data/video. Out: small videos there, made by ffmpeg, and
# containers.json with the facts and the CRC-32 of the frames that transformers' decoder gives for them.
# Needs ffmpeg and torchcodec; frames depend on the FFmpeg that both use (5.1 here: Debian 12).
# Reference: transformers 5.18 read_video_torchcodec, torchcodec 0.14 (seek_mode "exact").

import argparse
import pathlib
import re
import subprocess

import image_goldens
import torchcodec
from torchcodec.decoders import VideoDecoder

H264 = ["-c:v", "libx264", "-preset", "veryslow", "-pix_fmt", "yuv420p"]
FILES = {
    # name: source, arguments
    "clip.mp4": ("testsrc=size=64x48:rate=25:duration=2", [*H264, "-g", "12"]),
    "odd.mov": ("testsrc=size=70x50:rate=30:duration=1", H264),
    "vp9.webm": ("testsrc=size=64x48:rate=10:duration=2", ["-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p"]),
    "full_color.mkv": ("testsrc=size=64x48:rate=10:duration=1", ["-c:v", "libx264", "-pix_fmt", "yuv444p"]),
    "ten_bits.mkv": (
        "testsrc=size=64x48:rate=10:duration=1",
        ["-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=none"],
    ),
    "bt709.mp4": ("testsrc=size=64x48:rate=10:duration=1", [*H264, "-colorspace", "bt709"]),
    "full_range.mp4": ("testsrc=size=64x48:rate=10:duration=1", ["-c:v", "libx264", "-pix_fmt", "yuvj420p"]),
    "mpeg4.avi": ("testsrc=size=64x48:rate=10:duration=1", ["-c:v", "mpeg4"]),
    "uneven.mp4": (
        "testsrc=size=64x48:rate=20:duration=2",
        ["-vf", "select='not(eq(mod(n,5),3))'", "-fps_mode", "vfr", *H264],
    ),
    "with_sound.mp4": ("testsrc=size=64x48:rate=10:duration=1", ["-f", "lavfi", "-i", "sine=duration=1", "-shortest", *H264]),
}


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True)


def main():
    parser = argparse.ArgumentParser(description="Makes the goldens of videos in containers.")
    parser.add_argument("-o", "--out", type=pathlib.Path, required=True, help="folder of the test videos")
    folder = parser.parse_args().out
    for name, (source, options) in FILES.items():
        ffmpeg("-f", "lavfi", "-i", source, *options, folder / name)
    ffmpeg("-i", folder / "clip.mp4", "-c", "copy", "-metadata:s:v:0", "rotate=90", folder / "turned.mp4")
    rows = []
    for name in sorted([*FILES, "turned.mp4"]):
        decoder = VideoDecoder(str(folder / name), seek_mode="exact", num_ffmpeg_threads=0)
        count = decoder.metadata.num_frames
        wanted = sorted({0, 1, count // 3, count // 2, count - 1})
        frames = decoder.get_frames_at(indices=wanted).data.permute(0, 2, 3, 1).contiguous().numpy()
        rows.append(
            {
                "file": name,
                "frames": count,
                "fps": decoder.metadata.average_fps,
                "duration": decoder.metadata.duration_seconds,
                "height": frames.shape[1],
                "width": frames.shape[2],
                "wanted": wanted,
                "crc32": [image_goldens.crc(frame) for frame in frames],
            }
        )
    version = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True).stdout
    made_with = {"torchcodec": torchcodec.__version__, "ffmpeg": re.match(r"ffmpeg version (\S+)", version)[1]}
    image_goldens.write(folder / "containers.json", {"made_with": made_with, "rows": rows})


if __name__ == "__main__":
    main()
