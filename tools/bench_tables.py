#!/usr/bin/env python3
# Writes the tables and plots of docs/performance.md and README.md from bench/results, so that no figure is typed.
# In: every bench/results/PROCESSOR/*.json; pages with regions between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`. Out: the
# regions filled in; with --check nothing is written, and exit 1 when a page is not what the results give.
# Usage: python3 tools/bench_tables.py [--check] [ROOT]

import argparse
import json
import pathlib
import re
import sys

import bench_bars
import bench_peers
from bench_text import number, origin, table

BENCH = pathlib.Path(__file__).resolve().parents[1] / "bench"
sys.path[1:1] = [str(BENCH), str(BENCH / "growth"), str(BENCH / "stages")]
import machine  # noqa: E402
import plot  # noqa: E402
import thread_plan  # noqa: E402

PAGES = ["docs/performance.md", "README.md"]
PLOTS = "docs/performance"
NOTHING = "No results are recorded yet.\n"
FRONT = "peers"  # the recording of a processor that the front page shows


def stages(result):
    rows = []
    for stage in result["stages"]:
        counted = stage["gflop"] > 0
        rows.append([
            stage["name"], stage["work"], f"{number(stage['median_ms'])} ms",
            f"{number(stage['min_ms'])} to {number(stage['max_ms'])}", number(stage["gflop"]) if counted else "-",
            f"{number(stage['gflops'])} ({100 * stage['of_peak_gflops']:.0f} %)" if counted else "-",
            f"{number(stage['gb_per_s'])} ({100 * stage['of_peak_gb_per_s']:.0f} %)" if stage["gb"] > 0 else "-"])
    header = ["stage", "work", "median", "smallest to largest", "GFLOP", "GFLOP/s (of peak)", "GB/s (of peak)"]
    flags = result.get("flags", [])
    how = f", `galago bench {' '.join(flags)}`" if flags else ""
    return origin(result) + f"\nMedians of {result['runs']} runs{how}.\n\n" + table(header, rows)


MORE_THREADS = (4, 8, 16)  # for which nothing is measured


def threads(result):
    rates = {int(count): rate for count, rate in result["rates"].items()}
    reading = {count: rate["gb_per_s"] for count, rate in rates.items()}
    rows = []
    for stage in result["stages"]:
        times = {int(count): one["median"] for count, one in stage["ms"].items()}
        memory, serial = thread_plan.shares(stage["gb"], times, reading)
        rows.append([f"{stage['name']}, {stage['numbers']}", *(f"{number(times[count])} ms" for count in (1, 2)),
                     f"{100 * memory:.0f} %", f"{100 * serial:.0f} %",
                     *(f"{number(thread_plan.computed(stage['gb'], times, reading, count))} ms" for count in MORE_THREADS),
                     f"{number(thread_plan.computed(stage['gb'], times, reading, MORE_THREADS[-1], memory_grows=True))} ms"])
    header = ["stage", "1 thread, measured", "2 threads, measured", "reading's share, measured", "serial share of the rest, measured",
              *(f"{count} threads, computed" for count in MORE_THREADS), f"{MORE_THREADS[-1]} threads, memory growing along, computed"]
    peak = "; ".join(f"{count} {'thread' if count == 1 else 'threads'}: {number(rate['gflops'])} GFLOP/s, {number(rate['gb_per_s'])} GB/s"
                     for count, rate in sorted(rates.items()))
    return origin(result) + f"\nMeasured peaks: {peak}. Medians of {result['rounds']} rounds in turns.\n\n" + table(header, rows)


def e2e(result):
    whats = list(next(iter(result["ways"].values())))
    rows = [[way, *(f"{number(one[what]['median'])} ({number(one[what]['min'])} to {number(one[what]['max'])})"
                    for what in whats)] for way, one in result["ways"].items()]
    note = f"\nMedians of {result['rounds']} rounds in turns, smallest to largest; answers of {result['tokens']} tokens.\n\n"
    return origin(result) + note + table(["galago run", *whats], rows)


def bars(results):
    rows = bench_bars.rows(results)
    return table(["what", "must", "aim", "measured", "reached"], rows)


GAPS = {"gap_ms p50": "gap of a stream, median, ms", "gap_ms p99": "99 of 100 gaps are below, ms", "gap_ms max": "longest gap, ms",
        "tile_ms": "a tile alone, ms", "photos_ms": "all photos answered after, ms", "tokens_per_second": "tokens/s of all",
        "short_tokens_per_second": "tokens/s of 64 short questions"}


def gap(result):
    order = [name for name in ("before", "now") if name in result["programs"]]
    rows = [[title, *(f"{number(one['median'])} ({number(one['min'])} to {number(one['max'])})"
                      for one in (result["programs"][name][what] for name in order))] for what, title in GAPS.items()]
    return (origin(result) + f"\nMedians of {result['rounds']} rounds in turns, smallest to largest; streams of {result['tokens']} tokens.\n\n" +
            table(["", *order], rows))


def milliseconds(spread):
    """"p50 / p95 / p99 / max" of a spread; a dash where nothing was measured."""
    return " / ".join("–" if spread[part] is None else number(spread[part]) for part in ("p50", "p95", "p99", "max"))


def middle(rounds, *path):
    values = []
    for one in rounds:
        for key in path:
            one = one[key]
        values.append(one)
    values.sort()
    return values[len(values) // 2] if len(values) % 2 else (values[len(values) // 2 - 1] + values[len(values) // 2]) / 2


def photos(rounds):
    """One row for each program: medians of its rounds."""
    return [[name, number(middle(done, "tokens_per_second")), number(60 * middle(done, "requests_per_second")),
             *(number(middle(done, "first_token_ms", part)) for part in ("p50", "p99")),
             *(number(middle(done, "gap_ms", part)) if done[0].get("gap_ms", {}).get(part) is not None else "–" for part in ("p50", "p99", "max")),
             number(middle(done, "peak_mib")) if "peak_mib" in done[0] else "–"] for name, done in rounds.items()]


def stage_times(rounds):
    """Where the time of each program goes that tells it, a line each."""
    return "".join(f"\n{name}: " + ", ".join(f"{stage.replace('_', ' ')} {number(middle(done, 'stage_seconds', stage))} s" for stage in done[0]["stage_seconds"]) + ".\n"
                   for name, done in rounds.items() if "stage_seconds" in done[0])


def faults(f):
    """Rows: what was done, what came of it, what /health took meanwhile."""
    connections, streams, left, slow, drain = (f[name] for name in ("connections", "streams", "disconnects", "slow_clients", "drain"))
    codes = connections["all_ask_at_once"]
    rows = [[f"{connections['connections']} idle connections", f"{number(connections['kib_each'])} KiB each", milliseconds(connections["health_ms"])],
            ["the same, all asking at once", ", ".join(f"{count} x {code}" for code, count in sorted(codes.items())), "–"],
            [f"{streams['requests']} streams", f"all whole; first token {milliseconds(streams['first_token_ms'])}, gap {milliseconds(streams['gap_ms'])} ms",
             milliseconds(streams["health_ms"])],
            [f"{left['disconnects']} clients that leave", f"nothing runs {number(left['idle_after_ms'])} ms after the last", milliseconds(left["health_ms"])],
            [", ".join(f"{count} slow {kind}" for kind, count in slow["slow"].items()),
             f"good clients {milliseconds(slow['good_beside_ms'])} ms, alone {milliseconds(slow['good_alone_ms'])} ms; heads closed after "
             f"{slow['headers_closed_after_s']} s, bodies after {slow['bodies_closed_after_s']} s", milliseconds(slow["health_ms"])],
            [f"SIGTERM with {drain['in_flight']} in flight", f"{drain['whole']} whole, {drain['refused_after']} of 3 later ones refused, ended after {drain['ended_after_s']} s", "–"]]
    if "soak" in f:
        soak = f["soak"]
        rows.append([f"{soak['minutes']} minutes of mixed traffic", f"{soak['good']} good, {soak['hostile']} hostile, {soak['canary']} times the same question; "
                     f"MiB {' / '.join(map(str, soak['memory_mib']))} at begin, middle and end", "–"])
    return rows


def serve(result):
    text = origin(result)
    if "photos" in result:
        rounds = len(next(iter(result["photos"].values())))
        width, height = result["size"]
        text += (f"\n{result['questions']} {'question' if result['questions'] == 1 else 'questions'} about photos of {width} x {height}, {result['together']} at a time, answers of {result['tokens']} tokens, medians of {rounds} "
                 f"rounds in turns, milliseconds.\n\n")
        text += table(["", "tokens/s", "questions/min", "first token p50", "p99", "gap p50", "p99", "max", "MiB"], photos(result["photos"]))
        text += stage_times(result["photos"])
    if "faults" in result:
        text += f"\nLoad and faults with {result['faults']['model']}, milliseconds as p50 / p95 / p99 / max.\n\n"
        text += table(["done", "what came of it", "/health, ms"], faults(result["faults"]))
    return text


def growth(result, plot_name):
    return origin(result) + f"\n![How time grows](performance/{plot_name}.svg)\n"


def start(result):
    rows = [[name, *(f"{number(one[what]['median'])} ({number(one[what]['min'])} to {number(one[what]['max'])})" for what in ("health_ms", "answer_ms"))]
            for name, one in result["programs"].items()]
    return origin(result) + "\n" + f"Medians of {result['rounds']} rounds in turns.\n\n" + table(["", "/health answers after, ms", "a question of one token is answered after, ms"], rows)


TEXTS = {"stages": stages, "threads": threads, "peers": bench_peers.peers, "e2e": e2e, "gap": gap, "serve": serve, "start": start}
REGIONS = (*TEXTS, "growth", "summary", "bars")


def of_processor(slug, results):
    """[(name, result)] of one processor -> {region: [text]}, {plot file: text}"""
    regions = {region: [] for region in REGIONS}
    plots = {}
    for name, result in results:
        kind = result["kind"]
        if kind in TEXTS:
            regions[kind].append(TEXTS[kind](result))
        elif kind == "growth":
            regions["growth"].append(growth(result, f"{name}-{slug}"))
            plots[f"{PLOTS}/{name}-{slug}.svg"] = plot.svg(result)
        elif kind not in ("batch", "drafts"):  # told in docs/batch.md and docs/convert.md
            raise SystemExit(f"bench_tables: {slug}/{name}.json: unknown kind {kind}")
        if kind == "peers" and name == FRONT:
            regions["summary"].append(bench_peers.summary(result))
    if bench_bars.any_measured(results):
        regions["bars"].append(bars(results))
    return regions, plots


def filled(processors):
    """{folder: [(name, result)]} -> {region: text}, {plot file: text}; each region has a heading for each processor"""
    regions, plots = {region: [] for region in REGIONS}, {}
    for slug, results in processors.items():
        own, own_plots = of_processor(slug, results)
        plots |= own_plots
        for region, texts in own.items():
            if texts:
                regions[region].append(f"### {results[0][1]['cpu']}\n\n" + "\n".join(texts))
    return {region: "\n".join(texts) or NOTHING for region, texts in regions.items()}, plots


def with_regions(page, text, regions):
    """The page with its regions filled; every mark must have its end and a name that is known."""
    for mark in re.findall(r"<!-- bench:(\w+) -->", text):
        begin, end = f"<!-- bench:{mark} -->\n", f"<!-- /bench:{mark} -->"
        head, _, rest = text.partition(begin)
        if mark not in regions or end not in rest:
            raise SystemExit(f"bench_tables: {page}: region {mark} is unknown or has no end")
        text = f"{head}{begin}\n{regions[mark]}\n{end}{rest.partition(end)[2]}"
    return text


def recorded(folder):
    """-> {processor's folder: [(name, result)]}; a file lies in the folder of its own processor."""
    processors = {}
    for path in sorted(folder.rglob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        own = folder / machine.slug(result["cpu"])
        if path.parent != own:
            raise SystemExit(f"bench_tables: {path} was recorded on {result['cpu']} and belongs into {own}")
        processors.setdefault(own.name, []).append((path.stem, result))
    return processors


def wanted(root):
    """-> {path: text} of all generated files"""
    regions, plots = filled(recorded(root / "bench" / "results"))
    files = {root / name: text for name, text in plots.items()}
    for page in PAGES:
        text = (root / page).read_text(encoding="utf-8")
        files[root / page] = with_regions(page, text, regions)
    return files


def main():
    parser = argparse.ArgumentParser(description="Fills the tables of the documentation from bench/results.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a page differs")
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[1])
    arguments = parser.parse_args()
    drifted = []
    files = wanted(arguments.root)
    for path, text in files.items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        drifted.append(path)
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    left = [path for path in (arguments.root / PLOTS).glob("*.svg") if path not in files]
    for path in (drifted + left) if arguments.check else left:
        print(f"bench_tables: {path.relative_to(arguments.root)} is not what bench/results gives")
    return 1 if (arguments.check and drifted) or left else 0


if __name__ == "__main__":
    sys.exit(main())
