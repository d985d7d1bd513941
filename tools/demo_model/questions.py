# Asks about a layout: every question that has exactly one right answer, with that answer.
# In: a layout of scenes.py and a numpy Generator. Out: a list of (category, question, answer).
# A question is left out when a person could argue about it (an item between two places, two red things, ...).

from collections import Counter

from scenes import band_of, pick
from vocabulary import COLOUR_NAMES, PHRASINGS, PLACES, SHAPES, THING_NAMES, article, plural


def wording(rng, category, **words):
    return pick(rng, PHRASINGS[category]).format(**words)


def describe(item) -> str:
    """'a red circle', 'a cat', 'the word tea', 'the number 42'."""
    if item["kind"] == "shape":
        return article(f"{item['colour']} {item['name']}")
    if item["kind"] == "thing":
        return article(item["name"])
    return ("the word " if item["is_word"] else "the number ") + item["name"]


def centre(item):
    x0, y0, x1, y1 = item["box"]
    return (x0 + x1) / 2, (y0 + y1) / 2


def _place(item):
    x, y = centre(item)
    cell = (band_of(x), band_of(y))
    return PLACES.get(cell)


def _about_all(rng, items):
    """The overall questions: what is in the picture, what is on which side."""
    out = []
    name = lambda answer: out.append(("name", wording(rng, "name"), answer))
    kinds = {i["kind"] for i in items}
    if len(items) == 1:
        name(describe(items[0]))
    elif len(items) == 2 and "text" not in kinds:
        a, b = sorted(items, key=lambda i: centre(i)[0])
        (ax, ay), (bx, by) = centre(a), centre(b)
        if describe(a) == describe(b):
            name("2 " + plural(describe(a).split(" ", 1)[1]))
        elif bx - ax > 0.25:
            name(f"{describe(a)} and {describe(b)}")
            if ax < 0.4 and bx > 0.6:
                out.append(("side", wording(rng, "side", side="left"), describe(a)))
                out.append(("side", wording(rng, "side", side="right"), describe(b)))
    elif kinds == {"shape"}:
        name(f"{len(items)} shapes")
    elif kinds == {"thing"}:
        name(f"{len(items)} things")
    return out


def _about_shapes(rng, shapes):
    out = []
    kinds, colours = Counter(s["name"] for s in shapes), Counter(s["colour"] for s in shapes)
    both = Counter((s["colour"], s["name"]) for s in shapes)
    count = lambda xs, n: out.append(("count", wording(rng, "count", xs=xs), str(n)))
    if shapes:
        count("shapes", len(shapes))
    for kind, n in kinds.items():
        count(plural(kind), n)
    for colour, n in colours.items():
        count(f"{colour} shapes", n)
    if len(both) > 1:
        (colour, kind), n = list(both.items())[int(rng.integers(len(both)))]
        count(plural(f"{colour} {kind}"), n)
    for s in shapes:
        if kinds[s["name"]] == 1:
            out.append(("colour", wording(rng, "colour", x=s["name"]), s["colour"]))
        if colours[s["colour"]] == 1:
            out.append(("shape", wording(rng, "shape", c=s["colour"]), s["name"]))
        place = _place(s)
        if place and kinds[s["name"]] == 1:
            out.append(("where", wording(rng, "where", x=s["name"]), place))
        elif place and both[(s["colour"], s["name"])] == 1:
            out.append(("where", wording(rng, "where", x=f"{s['colour']} {s['name']}"), place))
    return out


def _about_things(rng, things):
    out = []
    kinds = Counter(t["name"] for t in things)
    for kind, n in kinds.items():
        out.append(("count", wording(rng, "count", xs=plural(kind)), str(n)))
    if len(things) > 1:
        out.append(("count", wording(rng, "count", xs="things"), str(len(things))))
    for t in things:
        place = _place(t)
        if place and kinds[t["name"]] == 1:
            out.append(("where", wording(rng, "where", x=t["name"]), place))
    return out


def _about_text(rng, text):
    category = "word" if text["is_word"] else "number"
    out = [(category, wording(rng, category), text["name"])] * 2
    out.append(("colour", wording(rng, "colour", x=category), text["colour"]))
    return out


def _yes_or_no(rng, items):
    """What a yes and a no question ask for: a shape, a coloured shape or a thing that is there, and one that is not."""
    named = [i for i in items if i["kind"] != "text"]
    if not named:
        return []
    present = pick(rng, named)
    yes = present["name"]
    if present["kind"] == "shape" and rng.random() < 0.5:
        yes = f"{present['colour']} {yes}"
    names = {i["name"] for i in named}
    pairs = {(i.get("colour"), i["name"]) for i in named}
    while True:
        if present["kind"] == "thing":
            no = pick(rng, THING_NAMES)
            if no not in names:
                break
        elif rng.random() < 0.5:
            no = pick(rng, SHAPES)
            if no not in names:
                break
        else:
            pair = (pick(rng, COLOUR_NAMES), pick(rng, [present["name"]] * 3 + SHAPES))
            if pair not in pairs:
                no = " ".join(pair)
                break
    return [("yesno", yes, "yes"), ("yesno", no, "no")]


def make_questions(layout, rng):
    """Every fair question about `layout`: [(category, question, answer)]."""
    items = layout["items"]
    out = _about_all(rng, items)
    out += _about_shapes(rng, [i for i in items if i["kind"] == "shape"])
    out += _about_things(rng, [i for i in items if i["kind"] == "thing"])
    for item in items:
        if item["kind"] == "text":
            out += _about_text(rng, item)
    yesno = _yes_or_no(rng, items)
    if yesno and rng.random() < 0.3:  # the "no" question, asked as a count
        absent = yesno[1][1]
        out.append(("count", wording(rng, "count", xs=plural(absent)), "0"))
    return out + [(category, wording(rng, category, ax=article(name)), answer) for category, name, answer in yesno]
