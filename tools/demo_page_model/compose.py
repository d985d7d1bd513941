# Writes the content of a page: sentences, headings, lists, tables, code and formulas from the words of words.py.
# In: a numpy Generator. Out: strings; tables as rows of cells (kind, text), where a cell may span to the right or down.

from words import (ADJECTIVES, ADVERBS, BASES, CELLS, CODE_SPACED, COLUMNS, HEADER_WORDS, NOUNS, PREPOSITIONS, STARTS,
                   TOPICS, UNITS, VERBS)

DETERMINERS = ["the", "the", "the", "a", "every", "our", "their", "its", "this", "no", "each"]


def pick(rng, words):
    return words[int(rng.integers(len(words)))]


def number(rng):
    kind = rng.random()
    if kind < 0.45:
        return str(rng.integers(1, 100))
    if kind < 0.6:
        return str(rng.integers(100, 1000))
    if kind < 0.75:
        return str(rng.integers(1950, 2030))
    if kind < 0.9:
        return f"{rng.integers(1, 100)}.{rng.integers(0, 10)}"
    return f"{rng.integers(1, 100)}%"


def noun_phrase(rng, first=None):
    """'the old bridge'; with `first`, its determiner."""
    words = [first or pick(rng, DETERMINERS)]
    if rng.random() < 0.45:
        words.append(pick(rng, ADJECTIVES))
    words.append(pick(rng, NOUNS))
    if words[0] in ("a", "A") and words[1][0] in "aeiou":
        words[0] += "n"
    return " ".join(words)


def sentence(rng):
    kind = rng.random()
    verb = pick(rng, VERBS)
    if kind < 0.5:
        text = f"{noun_phrase(rng, pick(rng, STARTS[:8]))} {verb} {noun_phrase(rng)}"
    elif kind < 0.65:
        text = f"{noun_phrase(rng, pick(rng, STARTS[:8]))} is {pick(rng, ADJECTIVES)} and {pick(rng, ADJECTIVES)}"
    elif kind < 0.75:
        text = f"{pick(rng, ['He', 'She', 'It'])} {pick(rng, ADVERBS)} {verb} {noun_phrase(rng)}"
    elif kind < 0.88:
        text = f"{noun_phrase(rng, pick(rng, STARTS[:8]))} {verb} {number(rng)} {pick(rng, UNITS)}"
    else:
        text = f"In {number(rng)}, {noun_phrase(rng)} {verb} {noun_phrase(rng)}"
    if rng.random() < 0.35:
        text += f" {pick(rng, PREPOSITIONS)} {noun_phrase(rng)}"
    if rng.random() < 0.1:
        text += f" {pick(rng, ['and', 'but', 'or'])} {pick(rng, ADVERBS)} {pick(rng, VERBS)} {noun_phrase(rng)}"
    return text + "."


def paragraph(rng):
    return " ".join(sentence(rng) for _ in range(int(rng.integers(1, 4))))


def title(rng):
    return f"{pick(rng, HEADER_WORDS + TOPICS)} {pick(rng, PREPOSITIONS)} {noun_phrase(rng)}"


def heading(rng):
    kind = rng.random()
    if kind < 0.4:
        return pick(rng, TOPICS)
    if kind < 0.7:
        return f"{pick(rng, TOPICS)} {pick(rng, PREPOSITIONS)} {noun_phrase(rng)}"
    return f"{pick(rng, TOPICS)} and {pick(rng, NOUNS)}"


def running_head(rng):
    return f"{pick(rng, HEADER_WORDS)} {pick(rng, NOUNS)}" + (f" {rng.integers(1950, 2030)}" if rng.random() < 0.4 else "")


def footer(rng):
    return pick(rng, [f"Page {rng.integers(1, 100)}", str(rng.integers(1, 400)),
                      f"{pick(rng, HEADER_WORDS)} {pick(rng, NOUNS)}"])


def list_item(rng):
    text = f"{pick(rng, BASES)} {noun_phrase(rng)}"
    if rng.random() < 0.3:
        text += f" {pick(rng, PREPOSITIONS)} {noun_phrase(rng)}"
    if rng.random() < 0.15:
        text += f" for {rng.integers(2, 60)} {pick(rng, UNITS)}"
    return text + ("." if rng.random() < 0.3 else "")


def caption(rng):
    return f"Table {rng.integers(1, 20)}: {pick(rng, COLUMNS)} {pick(rng, PREPOSITIONS)} {noun_phrase(rng)}"


def cell(rng):
    if rng.random() < 0.5:
        return number(rng)
    return pick(rng, CELLS) + (f" {pick(rng, CELLS)}" if rng.random() < 0.15 else "")


def table(rng):
    """(rows, has spans): each row a list of (kind, text) with kind ched, fcel, ecel, lcel or ucel; all rows of one length."""
    columns = int(rng.choice([2, 3, 3, 4]))
    body = int(rng.integers(1, 4))
    head = [("ched", pick(rng, COLUMNS)) for _ in range(columns)]
    rows, spans = [], False
    if columns > 2 and rng.random() < 0.3:
        at = int(rng.integers(0, columns - 1))
        above = [("ched", pick(rng, COLUMNS)) for _ in range(columns)]
        above[at + 1] = ("lcel", "")
        for other in range(columns):
            if other not in (at, at + 1):
                head[other] = ("ucel", "") if rng.random() < 0.6 else head[other]
        rows, spans = [above], True
    rows.append(head)
    numeric = [rng.random() < 0.5 for _ in range(columns)]
    for _ in range(body):
        row = []
        for column in range(columns):
            text = number(rng) if numeric[column] else cell(rng)
            row.append(("ecel", "") if rng.random() < 0.06 else ("fcel", text))
        rows.append(row)
    if body > 1 and rng.random() < 0.2:
        start = len(rows) - body
        if rows[start][0][0] == "fcel":
            rows[start + 1][0] = ("ucel", "")
            spans = True
    return rows, spans


def code(rng):
    """One to four lines of Python."""
    name, other, call = pick(rng, CODE_SPACED[:11]), pick(rng, CODE_SPACED[:11]), pick(rng, ["print", "read", "write", "open", "close", "len"])
    line = lambda: pick(rng, [f"{pick(rng, CODE_SPACED[:11])} = {rng.integers(0, 100)}", f"{name} = {other} + {rng.integers(1, 10)}",
                              f"{call}({name})", f"{other} = {call}({name})", f"{name} = {other} * {rng.integers(2, 10)}"])
    kind = rng.random()
    if kind < 0.3:
        return "\n".join([f"for {name} in {other}:"] + ["    " + line() for _ in range(int(rng.integers(1, 3)))])
    if kind < 0.5:
        return "\n".join([f"if {name} {pick(rng, ['>', '<', '=='])} {rng.integers(0, 100)}:", "    " + line()])
    if kind < 0.7:
        return "\n".join([f"def {call}({name}):", "    " + line(), f"    return {name}"][:int(rng.integers(2, 4))])
    return "\n".join(line() for _ in range(int(rng.integers(1, 4))))


def formula(rng):
    """[(text, level)] with level 0 on the line, 1 above, -1 below."""
    variable = lambda: pick(rng, list("abcnxyz"))

    def term():
        parts = [(str(rng.integers(2, 20)), 0)] if rng.random() < 0.4 else []
        parts.append((variable(), 0))
        kind = rng.random()
        if kind < 0.4:
            parts.append((pick(rng, list("234n")), 1))
        elif kind < 0.6:
            parts.append((pick(rng, list("0123n")), -1))
        return parts

    left = [("f(x)", 0)] if rng.random() < 0.2 else term()
    right = term()
    for _ in range(int(rng.integers(0, 2))):
        right += [(pick(rng, ["+", "-"]), 0)] + (term() if rng.random() < 0.7 else [(str(rng.integers(1, 50)), 0)])
    return left + [("=", 0)] + right
