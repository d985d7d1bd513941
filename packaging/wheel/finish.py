#!/usr/bin/env python3
"""Finishes a wheel that auditwheel has put libraries into: their licences, then a trial where nothing else is installed.

Usage: packaging/wheel/finish.py WHEEL --libraries FOLDER --to FOLDER
Fails when the wheel is too large, wants a library that neither it nor a manylinux system has, or does not answer in a root
with Python and the C library alone.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 15_000_000  # bytes
IMPORT_LIMIT = 0.2  # seconds of processor time, the shortest of three
# What PEP 600 lets a wheel expect of the system.
SYSTEM = ("libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "libz.so.1")
TRIAL = """
import sys, time
begin, worked = time.perf_counter(), time.process_time()
import galago
took, worked = time.perf_counter() - begin, time.process_time() - worked
assert not {"torch", "numpy", "PIL"} & set(sys.modules)
model = galago.Model("/demo")
for name in ("cat.jpg", "cat.heic", "cat.avif", "cat.webp", "cat.png", "cat.gif", "cat.tif"):
    if name in sys.argv[1:]:
        answer = model.ask("What is in the picture?", ["/pictures/" + name])
        assert answer.text.strip() == "a cat", (name, answer.text)
print(f"{took:.3f} {worked:.3f}")
"""


def run(*words, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"wheel: {words[0]} failed:\n{done.stderr}")
    return done.stdout


def package_of(library, built):
    """The Debian package that a library in the wheel came from: its name and the file with its licence."""
    name = re.sub(r"-[0-9a-f]{8}(?=\.so)", "", library)
    sources = {"libcurl": "libcurl4", "libheif": "libheif1"}  # built from Debian's sources
    for stem, package in sources.items():
        if name.startswith(stem):
            return package
    listed = run("ldconfig", "-p")
    found = re.search(r"=> (\S*/" + re.escape(name) + r")$", listed, re.MULTILINE)
    path = found.group(1) if found else next(pathlib.Path("/usr/lib").rglob(name))
    for candidate in (path, os.path.realpath(path)):
        for spelled in (candidate, str(candidate).removeprefix("/usr")):
            done = subprocess.run(["dpkg", "-S", spelled], capture_output=True, text=True)
            if done.returncode == 0:
                return done.stdout.split(":")[0]
    raise SystemExit(f"wheel: no package has {library}")


def add_licences(tree, built):
    """Each library's copyright file, and a list of them."""
    licences = next(tree.glob("*.dist-info")) / "licenses"
    rows = []
    for library in sorted(path.name for path in (tree / "galago.libs").iterdir()):
        package = package_of(library, built)
        version = run("dpkg-query", "-W", "-f", "${source:Package} ${source:Version}", package)
        shutil.copy(pathlib.Path("/usr/share/doc") / package / "copyright", licences / f"{package}.txt")
        rows.append(f"{library}: Debian's {version}, {package}.txt")
    xgrammar = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "galago"
    for name in ("LICENSE", "NOTICE"):
        for file in xgrammar.glob(f"xgrammar-*/{name}"):
            shutil.copy(file, licences / f"xgrammar-{name}.txt")
    (licences / "libraries.txt").write_text(
        "Libraries in galago.libs and the files here with their licences. libcurl and libheif are built from Debian's\n"
        "sources with fewer parts (packaging/wheel/libraries). xgrammar is a part of the extension module.\n\n"
        + "\n".join(rows)
        + "\n"
    )
    return rows


def check_libraries(tree):
    """Every library that something in the wheel wants is in it, or the system's."""
    own = {path.name for path in (tree / "galago.libs").iterdir()}
    if any(name.startswith(("libx265", "libx264")) for name in own):
        raise SystemExit("wheel: a library under the GPL is in it")
    for file in [*(tree / "galago.libs").iterdir(), *tree.glob("galago/*.so")]:
        dynamic = run("readelf", "-d", file)
        for wanted in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic):
            if wanted not in own and wanted not in SYSTEM:
                raise SystemExit(f"wheel: {file.name} wants {wanted}, which is not in it")


def copy_into(root, path):
    """The file at the same place below another root, links followed."""
    target = root / str(path).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(path, target)


def make_root(root, tree, pictures):
    """Python with its standard library, what it links with and what manylinux promises; the wheel; a model and pictures."""
    python = pathlib.Path(run(sys.executable, "-c", "import sys; print(sys._base_executable)").strip()).resolve()
    standard = pathlib.Path(run(python, "-c", "import os; print(os.path.dirname(os.__file__))").strip())
    unwanted = shutil.ignore_patterns("site-packages", "dist-packages", "test", "config-*", "idlelib", "tkinter")
    shutil.copytree(standard, root / str(standard).lstrip("/"), ignore=unwanted)
    copy_into(root, python)
    linked = re.findall(r"(/\S+) \(0x", run("ldd", python))
    promised = re.findall(r"(?:%s) .*=> (\S+)" % "|".join(map(re.escape, SYSTEM)), run("ldconfig", "-p"))
    for library in {*linked, *promised, "/lib64/ld-linux-x86-64.so.2"}:
        copy_into(root, library)
    shutil.copytree(tree / "galago", root / "site" / "galago")
    shutil.copytree(tree / "galago.libs", root / "site" / "galago.libs")
    shutil.copytree(ROOT / "models" / "demo", root / "demo")
    shutil.copytree(pictures, root / "pictures")
    return python


def try_it(tree, pictures):
    """Answers in a root where nothing else is; the seconds that the import took, and those of processor time."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        python = make_root(root, tree, pictures)
        chroot = shutil.which("chroot", path="/usr/sbin:/usr/bin")
        enter = [chroot, root] if os.geteuid() == 0 else [shutil.which("unshare"), "-r", chroot, root]
        command = [*enter, python, "-B", "-c", TRIAL, *(path.name for path in pictures.iterdir())]
        environment = {"PYTHONPATH": "/site", "HOME": "/"}
        run(*enter, python, "-m", "compileall", "-q", "/site", env=environment)  # as an installer does
        times = [run(*command, env=environment, timeout=120).split() for _ in range(3)]
        return tuple(min(float(seconds) for seconds in column) for column in zip(*times))


def install_it(wheel, folder):
    """Into an empty environment: the command that comes with it says its version."""
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin" / "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", wheel)
    for command in ([folder / "bin" / "galago"], [folder / "bin" / "python", "-m", "galago"]):
        if not re.match(r"galago [0-9.]+$", run(*command, "--version", env={}).strip()):
            raise SystemExit(f"wheel: {command[0]} --version says nothing")


def make_pictures(folder):
    """The demo's cat as a file of each kind that a tool here can write."""
    cat = ROOT / "models" / "demo" / "pictures" / "cat.jpg"
    folder.mkdir()
    shutil.copy(cat, folder)
    flags = {"cat.avif": ["-still-picture", "1"], "cat.tif": ["-pix_fmt", "rgb24"]}
    for name in ("cat.png", "cat.webp", "cat.gif", "cat.tif", "cat.avif"):
        words = ["ffmpeg", "-v", "error", "-i", cat, *flags.get(name, []), folder / name]
        if shutil.which("ffmpeg") and subprocess.run([str(word) for word in words], capture_output=True).returncode != 0:
            (folder / name).unlink(missing_ok=True)
    if shutil.which("heif-enc"):
        run("heif-enc", cat, "-o", folder / "cat.heic")
    return folder


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("wheel", type=pathlib.Path)
    arguments.add_argument("--libraries", required=True, type=pathlib.Path)
    arguments.add_argument("--to", required=True, type=pathlib.Path)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        with zipfile.ZipFile(asked.wheel) as wheel:
            wheel.extractall(work / "tree")
        rows = add_licences(work / "tree", asked.libraries)
        run(sys.executable, "-m", "wheel", "pack", work / "tree", "-d", asked.to)
        made = max(asked.to.glob("galago-*.whl"), key=lambda path: path.stat().st_mtime)
        size = made.stat().st_size
        check_libraries(work / "tree")
        install_it(made, work / "venv")
        pictures = make_pictures(work / "pictures")
        took, worked = try_it(work / "tree", pictures)
        kinds = ", ".join(sorted(path.suffix[1:] for path in pictures.iterdir()))
    if size > LIMIT:
        raise SystemExit(f"wheel: {made} has {size} bytes, more than {LIMIT}")
    if worked > IMPORT_LIMIT:
        raise SystemExit(f"wheel: its import takes {worked:.3f} s of processor time, more than {IMPORT_LIMIT}")
    print(f"{made}: {size / 1e6:.1f} MB, {len(rows)} libraries, import {took:.3f} s ({worked:.3f} s of processor time), read {kinds}")


if __name__ == "__main__":
    main()
