# How close an answer is to the page: characters (CER) and tables (TEDS).
# In: answers as tokens (strings). Out: numbers in 0..1. TEDS: X. Zhong et al., "Image-based table recognition" (2020):
# 1 - tree edit distance / nodes of the larger tree, with a table's tree table > tr > td (colspan, rowspan, text), the cost
# of renaming a cell being 1 where its spans differ and else the normalised edit distance of its text.

import functools

CELLS = {"<ched>": "text", "<rhed>": "text", "<srow>": "text", "<fcel>": "text", "<ecel>": "empty", "<lcel>": "left",
         "<ucel>": "up", "<xcel>": "cross"}


def edits(a, b):
    """Levenshtein distance."""
    line = list(range(len(b) + 1))
    for i, x in enumerate(a):
        corner, line[0] = line[0], i + 1
        for j, y in enumerate(b):
            corner, line[j + 1] = line[j + 1], min(line[j] + 1, line[j + 1] + 1, corner + (x != y))
    return line[-1]


def is_tag(piece):
    return len(piece) > 2 and piece[0] == "<" and piece[-1] == ">"


def plain(pieces):
    """The words of a page; where there are tags among them, a line break."""
    out = []
    for piece in pieces:
        if not is_tag(piece):
            out.append(piece)
        elif out and out[-1] != "\n":
            out.append("\n")
    return "".join(out).strip()


def tables(pieces):
    """The grids of all tables: rows of [kind, text]."""
    found, grid, deep = [], None, False
    for piece in pieces:
        if piece == "<otsl>":
            grid, deep = [[]], False
            found.append(grid)
        elif piece == "</otsl>":
            grid = None
        elif grid is not None:
            if piece in ("<caption>", "</caption>"):
                deep = piece == "<caption>"
            elif piece == "<nl>":
                grid.append([])
            elif piece in CELLS:
                grid[-1].append([CELLS[piece], ""])
            elif not is_tag(piece) and not deep and grid[-1]:
                grid[-1][-1][1] += piece
    return [[row for row in grid if row] for grid in found]


def tree(grid, words=True):
    """(label, children) of a table; a label is a name or (colspan, rowspan, text)."""
    rows = []
    for r, row in enumerate(grid):
        cells = []
        for c, (kind, text) in enumerate(row):
            if kind not in ("text", "empty"):
                continue
            wide = tall = 1
            while c + wide < len(row) and row[c + wide][0] == "left":
                wide += 1
            while r + tall < len(grid) and c < len(grid[r + tall]) and grid[r + tall][c][0] == "up":
                tall += 1
            cells.append(((wide, tall, text if words else ""), ()))
        rows.append(("tr", tuple(cells)))
    return ("table", tuple(rows))


def rename(a, b):
    if isinstance(a, str) or isinstance(b, str):
        return float(a != b)
    if a[:2] != b[:2]:
        return 1.0
    longest = max(len(a[2]), len(b[2]))
    return edits(a[2], b[2]) / longest if longest else 0.0


def nodes(forest):
    return sum(1 + nodes(children) for _, children in forest)


def tree_distance(a, b):
    """Edit distance of two ordered trees (the recursion of Zhang and Shasha)."""
    @functools.lru_cache(maxsize=None)
    def between(left, right):
        if not left or not right:
            return float(nodes(left) + nodes(right))
        (x, under_x), (y, under_y) = left[-1], right[-1]
        return min(between(left[:-1] + under_x, right) + 1, between(left, right[:-1] + under_y) + 1,
                   between(left[:-1], right[:-1]) + between(under_x, under_y) + rename(x, y))

    return between((a,), (b,))


def teds(a, b, words=True):
    """Similarity of two grids; `words` False: of their structure alone."""
    a, b = tree(a, words), tree(b, words)
    return 1 - tree_distance(a, b) / max(nodes((a,)), nodes((b,)))
