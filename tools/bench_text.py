# What the tables of results share: numbers, rows, and the line that says where figures come from.

QUIET_LOAD = 1.0


def number(value):
    """Three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def spread(one):
    return f"{number(one['min'])} to {number(one['max'])}"


def origin(result):
    """The sentence above every table: where its figures come from, and whether the machine was free."""
    text = (f"{result['threads']} of {result['cores']} cores ({', '.join(result['isa'])}); commit {result['commit']}, "
            f"{result['date']}; model shape {result['model']}; ")
    if result.get("set", "native") != "native":
        text = f"**Instructions up to {result['set'].upper()} only**, by every program. " + text
    if "peak" in result:
        peak = result["peak"]
        others = {"bf16_gflops": "GFLOP/s in bfloat16", "int8_gops": "GOP/s in bytes"}  # of newer recordings
        others = "".join(f", {peak[key]:.0f} {name}" for key, name in others.items() if key in peak)
        text += f"measured peak {peak['gflops']:.0f} GFLOP/s{others}, {peak['gb_per_s']:.1f} GB/s; "
    text += f"load average at the start {result['load_average']:.2f}.\n"
    if result["load_average"] > QUIET_LOAD:
        text += "\n**Other programs were running: these times show that the measurement works, not how fast galago is.**\n"
    return text
