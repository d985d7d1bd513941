# What a result must say about where it comes from, and where it is kept.
# In: the program that was measured. Out: commit, date, processor, its instruction sets, load average.

import datetime
import os
import pathlib
import platform
import re
import subprocess

SETS = ("sse4_2", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile",
        "amx_bf16", "amx_int8", "asimd", "sve", "i8mm", "bf16")


def processor():
    """-> (name, instruction sets) as Linux names them."""
    fields = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    numbers = f"family {fields['cpu family']}, model {fields['model']}" if "cpu family" in fields else ""
    name = ", ".join(part for part in (fields.get("model name", platform.machine()), numbers) if part)
    return name, [one for one in SETS if one in flags]


def slug(name):
    """The folder of a processor's results: "AMD EPYC, family 26, model 2" -> "amd-epyc-26-2"."""
    plain = re.sub(r"\((r|tm)\)|@.*?(,|$)|\b(cpu|processor|family|model)\b", " ", name.lower())
    return "-".join(re.findall(r"[a-z0-9]+", plain)) or "unknown"


def results():
    """bench/results/PROCESSOR of this machine; it need not be there yet."""
    return pathlib.Path(__file__).resolve().parent / "results" / slug(processor()[0])


def commit(folder):
    """The commit of the tree, marked when its sources have changes that are not in it."""
    git = ["git", "-C", str(folder)]
    done = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    if done.returncode != 0:
        return "unknown"
    changed = subprocess.run([*git, "status", "--porcelain", "--", "src", "apps", "include", "CMakeLists.txt"],
                             capture_output=True, text=True).stdout
    return done.stdout.strip() + (" with changes" if changed.strip() else "")


def facts(program):
    name, sets = processor()
    return {"commit": commit(pathlib.Path(__file__).resolve().parent), "date": datetime.date.today().isoformat(),
            "program": pathlib.Path(program).name, "cpu": name, "cores": os.cpu_count(), "isa": sets,
            "load_average": os.getloadavg()[0]}
