# Pages of DocTags, every element among them, made at random; and what docling-core makes of them beside galago.
# Pages are of two kinds. docling-core reads all of a plain one: Markdown must be the same, byte for byte. A damaged one
# has something that its reader loses or spoils (DAMAGES has the list): there, no word may be missing from ours.
# In: build/documents_driver (ninja -C build documents_driver). Out: counts, and the first pages that differ; exit 1 if any.
# Usage: python tools/oracle/documents_pages.py build/documents_driver [-n 2000] [--seed 0]        (docling-core 2.104.0)

import argparse
import collections
import html.parser
import json
import random
import re
import subprocess
import sys
import warnings

WORDS = ("the", "of", "growth", "Zürich", "naïve", "数据", "表", "данные", "café", "snake_case", "__init__", "a*b", "50%", "R&D",
         "x<3", "5 > 4", "P < 0.05", "“quoted”", "e-mail", "|pipe|", "C:\\dir_a", "\\_done", "![fig](a_b.png)", "[1]", "(see)", "#5",
         "1.", "-", "`tick`", "🙂", "ﬁne", "ß", "عربي")
CELL_WORDS = tuple(word for word in WORDS if "<" not in word and ">" not in word)
NUMBERS = ("1", "23", "-4", "+5", "1,234", "1,234.5", "0.5", ".5", "5.", "1e5", "nan", "inf", "1_000", "007", "٣", "12%", "$5", "True", "1,23",
           "1e999", "-0", "1 000", "3.14", "12345678901234567890")
LANGUAGES = ("Python", "C++", "C#", "Bash", "unknown", "SQL", "DocLang")
CLASSES = ("logo", "photograph", "icon", "line_chart", "bar_chart", "other", "flow_chart", "signature", "pie_chart", "qr_code",
           "stacked_bar_chart", "natural_image", "chemistry_molecular_structure")
CODE = ("def f(x):\n    return x < 5\n", "x = `a`", "int main() { return 0; }", "```\ninner\n```", "a_b = {1: 2}", "for (;;) {}", "   indented\n\n  more")
FORMULAS = ("x^2", "\\frac{a}{b} < 5", "E = mc^2", "\\sum_{i=0}^n i", "a \\\\\n b")


class Maker:
    """Makes one page. Words are marked, so that they can be looked for: each mark occurs once."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.marks = []
        self.damages = set()

    def one_of(self, choices):
        return self.random.choice(choices)

    def chance(self, likely):
        return self.random.random() < likely

    def mark(self):
        self.marks.append(f"m{len(self.marks)}q")
        return self.marks[-1]

    def words(self, most=8, lines=False, cell=False):
        parts = [self.one_of(CELL_WORDS if cell else WORDS) for _ in range(self.random.randint(0, most))]
        parts.insert(self.random.randint(0, len(parts)), self.mark())
        text = " ".join(parts)
        if lines and self.chance(0.2):
            text = text.replace(" ", self.one_of(["\n", "\n\n", "\n\n\n"]), 1)
        return text

    def box(self, likely=0.9):
        if not self.chance(likely):
            return ""
        left, right = sorted(self.random.sample(range(501), 2))
        top, bottom = sorted(self.random.sample(range(501), 2))
        return f"<loc_{left}><loc_{top}><loc_{right}><loc_{bottom}>"

    def element(self, tag, inside, likely=0.9):
        return f"<{tag}>{self.box(likely)}{inside}</{tag}>"

    # What docling-core reads as it is written.

    def text(self):
        return self.element("text", self.words(14, lines=True))

    def empty(self):
        return self.element(self.one_of(["text", "title", "section_header_level_2", "code", "formula", "checkbox_selected"]), "")

    def title(self):
        return self.element("title", self.words(lines=True))

    def heading(self):
        return self.element(f"section_header_level_{self.random.randint(1, 6)}", self.words(lines=True))

    def furniture(self):
        return self.element(self.one_of(["page_header", "page_footer"]), self.one_of(WORDS))

    def footnote(self):
        return self.element("footnote", self.words())

    def checkbox(self):
        return self.element(self.one_of(["checkbox_selected", "checkbox_unselected"]), self.words())

    def lone_caption(self):
        return self.element("caption", self.words(lines=True))

    def formula(self):
        return self.element("formula", self.one_of(FORMULAS) + " " + self.mark())

    def code(self):
        language = f"<_{self.one_of(LANGUAGES)}_>" if self.chance(0.7) else ""
        return self.element("code", language + self.one_of(CODE) + self.mark())

    def list(self):
        tag = self.one_of(["ordered_list", "unordered_list"])
        items = [self.element("list_item", self.words(lines=True)) for _ in range(self.random.randint(0, 5))]
        return f"<{tag}>{self.one_of(['', chr(10)]).join(items)}</{tag}>"

    def inline(self):
        kinds = ["text", "text", "formula", "code", "checkbox_selected"]
        parts = []
        for _ in range(self.random.randint(1, 4)):
            tag = self.one_of(kinds)
            inside = self.one_of(FORMULAS) if tag == "formula" else self.one_of(CODE[1:3]) if tag == "code" else self.words()
            parts.append(self.element(tag, inside, 0.2))
        return self.element("inline", "".join(parts))

    def caption(self):
        return self.element("caption", self.words(), 0.7)

    def cells(self, style="paper"):
        """The rows of a table, spans among them."""
        rows, columns = self.random.randint(1, 6), self.random.randint(1, 5)
        grid = [[None] * columns for _ in range(rows)]
        numbers = [self.chance(0.5) for _ in range(columns)]
        for row in range(rows):
            for column in range(columns):
                if grid[row][column] is not None:
                    continue
                down = across = 1
                if self.chance(0.25):
                    down, across = self.random.randint(1, rows - row), self.random.randint(1, columns - column)
                across = next((i for i in range(across) if grid[row][column + i] is not None), across)
                for y in range(down):
                    for x in range(across):
                        both = "<xcel>" if style == "docling" or (x and y) else "<ucel>" if y else "<lcel>"
                        grid[row + y][column + x] = "<ucel>" if across == 1 else "<lcel>" if down == 1 else both
                grid[row][column] = self.cell(row, column, numbers[column])
        return "".join("".join(row) + "<nl>" for row in grid)

    def cell(self, row, column, number):
        if self.chance(0.1):
            return "<ecel>"
        tag = "<ched>" if row == 0 and self.chance(0.8) else "<rhed>" if column == 0 and self.chance(0.3) else "<fcel>"
        words = self.one_of(NUMBERS) if number and row > 0 else self.words(3, lines=True, cell=True)
        return tag + self.box(0.1) + words

    def table(self):
        rows = self.cells()
        caption = self.caption() if self.chance(0.5) else ""
        first = self.chance(0.3)
        return self.element("otsl", caption + rows if first else rows + caption)

    def picture(self):
        inside = f"<{self.one_of(CLASSES)}>" if self.chance(0.5) else ""
        return self.element("picture", inside + (self.caption() if self.chance(0.5) else ""), 1)

    def chart(self):
        return self.element("chart", f"<{self.one_of(CLASSES)}>" + (self.cells() if self.chance(0.8) else "") +
                            (self.caption() if self.chance(0.5) else ""), 1)

    def key_values(self):
        count = self.random.randint(1, 4)
        pairs = "".join(f"<key_{2 * i}>{self.box()}{self.words(2, cell=True)}<link_{2 * i + 1}></key_{2 * i}>"
                        f"<value_{2 * i + 1}>{self.box()}{self.words(2, cell=True)}</value_{2 * i + 1}>" for i in range(count))
        return self.element("key_value_region", pairs)

    def form(self):
        return self.element("form", "".join(self.one_of([self.text, self.checkbox, self.list, self.table])() for _ in range(2)))

    # What its reader loses or spoils.

    def label_left_out(self):
        """<paragraph>, <reference>, <references>, <handwritten_text>, <section_header_level_0>: passed over with their words."""
        return self.element(self.one_of(["paragraph", "reference", "references", "handwritten_text", "section_header_level_0"]), self.words())

    def words_outside(self):
        """Words outside of tags: passed over."""
        return self.words()

    def item_outside(self):
        """<list_item> outside of a list: passed over."""
        return self.element("list_item", self.words()) + self.element("list_item", self.words())

    def table_tag(self):
        """<table> for <otsl>: passed over."""
        return self.element("table", self.cells())

    def picture_without_box(self):
        """<picture> without a place: the picture goes."""
        return f"<picture><logo>{self.caption()}</picture>"

    def document_index(self):
        """<document_index>: the reader raises an error, and the document is lost."""
        return self.element("document_index", self.cells() if self.chance(0.5) else self.words(lines=True))

    def nested_list(self):
        """A list in a list: items and their inner ones run together, numbering is lost, what follows goes."""
        inner = f"<ordered_list>{self.element('list_item', self.words())}{self.element('list_item', self.words())}</ordered_list>"
        if self.chance(0.5):  # as docling-core writes it
            return f"<unordered_list>{self.element('list_item', self.words())}<list_item>{inner}</list_item>{self.element('list_item', self.words())}</unordered_list>"
        return f"<unordered_list>{self.element('list_item', self.words() + inner)}{self.element('list_item', self.words())}</unordered_list>"

    def inline_in_text(self):
        """<inline> in an element, as docling-core writes a paragraph with a formula: words run together."""
        return self.element(self.one_of(["text", "title", "footnote", "checkbox_selected"]), self.inline())

    def molecule(self):
        """<smiles>: goes."""
        return self.element("picture", f"<chemistry_structure><smiles>{self.mark()}</smiles>", 1)

    def picture_with_table(self):
        """Cells in a <picture>, as docling-core writes charts of some classes: go."""
        return self.element("picture", "<other>" + self.cells(), 1)

    def unknown_class(self):
        """A class that the reader does not know: goes."""
        return self.element("picture", "<infographic>", 1)

    def tag_among_words(self):
        """What looks like a tag among words or code: goes."""
        tag = self.one_of(["text", "code", "footnote", "list_item"])
        inside = self.element(tag, f"{self.words()} <b>{self.mark()}</b> map<{self.mark()}> ")
        return f"<unordered_list>{inside}</unordered_list>" if tag == "list_item" else inside

    def cell_without_words(self):
        """A full cell without words: takes the next tag for its words."""
        return self.element("otsl", f"<fcel><fcel>{self.mark()}<nl><fcel>{self.mark()}<fcel>{self.mark()}<nl>")

    def less_than_in_cell(self):
        """< in a cell: what follows it goes, up to the next >."""
        return self.element("otsl", f"<fcel>p < 0.05 {self.mark()}<fcel>{self.mark()}<nl><fcel>{self.mark()}<fcel>{self.mark()}<nl>")

    def element_in_cell(self):
        """An element in a cell: its words go."""
        return self.element("otsl", f"<fcel><text>{self.mark()}</text><fcel>{self.mark()}<nl><fcel>{self.mark()}<ecel><nl>")

    def table_in_cell(self):
        """A table in a cell, as docling-core writes it: what follows it goes."""
        inner = f"<otsl><fcel>{self.mark()}<fcel>{self.mark()}<nl></otsl>"
        return self.element("otsl", f"<fcel>{self.mark()}<fcel>{inner}<nl><fcel>{self.mark()}<fcel>{self.mark()}<nl>")

    def words_in_span(self):
        """Words behind a cell that is empty or goes on: go."""
        return self.element("otsl", f"<fcel>{self.mark()}<lcel>{self.mark()}<nl><ecel>{self.mark()}<fcel>{self.mark()}<nl>")

    def crosses(self):
        """<xcel> beside or below other cells, as docling-core writes spans of rows and columns: counted for two spans."""
        return self.element("otsl", self.cells("docling"))

    def empty_row(self):
        """A row without cells: rows below it are shifted."""
        return self.element("otsl", f"<fcel>{self.mark()}<nl><nl><fcel>{self.mark()}<nl>")

    def words_in_table(self):
        """Words in front of the first cell: go."""
        return self.element("otsl", self.mark() + f"<fcel>{self.mark()}<nl>")

    def caption_of_two_lines(self):
        """A line break in a caption: the caption goes."""
        caption = self.element("caption", f"{self.mark()}\n{self.mark()}")
        return self.element("otsl", "<fcel>" + self.mark() + "<nl>" + caption)

    def caption_of_code(self):
        """A caption in <code>, as docling-core writes it: becomes code."""
        return self.element("code", self.mark() + "\n" + self.caption())

    def unclosed(self):
        """A tag that is not closed before another opens: the two run together."""
        tag, other = self.one_of([("text", "text"), ("footnote", "text"), ("section_header_level_1", "text")])
        return f"<{tag}>{self.box(1)}{self.mark()}{self.element(other, self.mark(), 1)}"

    def inline_words(self):
        """Words in <inline> outside of its elements: go."""
        return self.element("inline", self.mark() + self.element("formula", self.mark()))

    def unclosed_last(self):
        """The last tag is not closed, as where the token limit cuts the page: its words go."""
        return f"<{self.one_of(['text', 'footnote', 'code', 'title'])}>{self.box()}{self.words()}"


PLAIN = (Maker.text, Maker.text, Maker.empty, Maker.title, Maker.heading, Maker.heading, Maker.furniture, Maker.footnote, Maker.checkbox,
         Maker.lone_caption, Maker.formula, Maker.code, Maker.list, Maker.list, Maker.inline, Maker.table, Maker.table, Maker.picture,
         Maker.chart, Maker.key_values, Maker.form)
DAMAGES = (Maker.label_left_out, Maker.words_outside, Maker.item_outside, Maker.table_tag, Maker.picture_without_box, Maker.document_index,
           Maker.nested_list, Maker.inline_in_text, Maker.molecule, Maker.picture_with_table, Maker.unknown_class, Maker.tag_among_words,
           Maker.cell_without_words, Maker.less_than_in_cell, Maker.element_in_cell, Maker.table_in_cell, Maker.words_in_span, Maker.crosses, Maker.empty_row,
           Maker.words_in_table, Maker.caption_of_two_lines, Maker.caption_of_code, Maker.unclosed, Maker.inline_words, Maker.unclosed_last)


def make_page(seed, damaged=None):
    """-> (DocTags, marks, names of damages). damaged: at random in one of five."""
    maker = Maker(seed)
    if damaged is None:
        damaged = maker.chance(0.2)
    parts = [maker.one_of(PLAIN)(maker) for _ in range(maker.random.randint(1, 10))]
    names = set()
    if damaged:
        for damage in maker.random.sample(DAMAGES, maker.random.randint(1, 2)):
            names.add(damage.__name__)
            last = damage is Maker.unclosed_last
            parts.insert(len(parts) if last else maker.random.randint(0, len(parts) - ("unclosed_last" in names)), damage(maker))
    between = maker.one_of(["", "\n"])
    if maker.chance(0.1) and not damaged:
        parts.insert(len(parts) // 2, "<page_break>")
    text = between.join(parts)
    if "unclosed_last" not in names and maker.chance(0.8):
        text = f"<doctag>{text}{between}</doctag>"
    return text, maker.marks, names


class Text(html.parser.HTMLParser):
    """The words of a page, and whether its tags are closed in order."""

    VOID = {"meta", "input", "br", "img", "hr", "link"}

    def __init__(self, page):
        super().__init__()
        self.open, self.text, self.faults = [], [], []
        self.feed(page)
        self.close()
        self.faults += self.open

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data):
        if not {"style", "title", "script"} & set(self.open):
            self.text.append(data)

    def words(self):
        return collections.Counter(re.findall(r"\w+", " ".join(self.text)))


def docling_markdown(text):
    from docling_core.types.doc.document import DoclingDocument, DocTagsDocument

    pages = DocTagsDocument.from_multipage_doctags_and_images(text, None)
    return DoclingDocument.load_from_doctags(pages).export_to_markdown()


def to_doclang(text, lines=False):
    """The page as docling-core writes it in DocLang; lines: laid out for human eyes."""
    from docling_core.transforms.serializer.doclang import DocLangDocSerializer, DocLangParams
    from docling_core.types.doc.document import DoclingDocument, DocTagsDocument

    document = DoclingDocument.load_from_doctags(DocTagsDocument.from_multipage_doctags_and_images(text, None))
    return DocLangDocSerializer(doc=document, params=DocLangParams(pretty_indentation="  " if lines else None)).serialize().text


def doclang_markdown(text):
    from docling_core.transforms.deserializer.doclang import DocLangDocDeserializer

    return DocLangDocDeserializer().deserialize_str(text).export_to_markdown()


def damage_of(text, marks, ours):
    """What docling-core makes of a damaged page."""
    try:
        theirs = docling_markdown(text)
    except Exception:  # whatever its reader throws is what is looked for
        return "damaged pages at which docling-core raises an error"
    if any(mark not in theirs for mark in marks):
        return "damaged pages of which docling-core loses words"
    return "damaged pages that docling-core writes otherwise" if theirs != ours["markdown_as_docling"] else "damaged pages that are the same"


def faults(text, marks, damages, ours):
    """What is not as it should be, one line each."""
    from docling_core.types.doc.document import DoclingDocument

    if not damages:
        theirs = docling_markdown(text)
        if theirs != ours["markdown_as_docling"]:
            yield f"markdown: theirs {theirs!r}\n  ours   {ours['markdown_as_docling']!r}"
        if ours["warnings"]:
            yield f"warnings {ours['warnings']}"
    for mark in marks:
        if ours["markdown"].count(mark) < 1:
            yield f"{mark} is lost: {ours['markdown']!r}"
    document = DoclingDocument.model_validate(json.loads(ours["json"]))
    theirs = document.export_to_markdown()
    if theirs != ours["markdown_of_json"]:
        yield f"markdown of json: theirs {theirs!r}\n  ours   {ours['markdown_of_json']!r}"
    theirs = document.export_to_text()
    if theirs != ours["text_of_json"]:
        yield f"text of json: theirs {theirs!r}\n  ours   {ours['text_of_json']!r}"
    if not ours["round_trip"]:
        yield f"not the same again: {ours['doctags']!r}"
    page = Text(ours["html"])
    if page.faults:
        yield f"html: tags {page.faults}"
    if not document.key_value_items:
        missing = Text(document.export_to_html(formula_to_mathml=False)).words() - page.words()
        # Names of what follows, and what stands for an empty formula.
        for name in ("Meta", "classification", "tabular_chart", "molecule", "Formula", "not", "decoded"):
            missing.pop(name, None)
        if missing:
            yield f"html: {missing} are missing: {ours['html']}"


def compare_doclang(driver, seeds):
    """Pages that docling-core wrote in DocLang, read by both -> how many have lost a word or were put right by ours."""
    texts = [to_doclang(make_page(seed, damaged=False)[0], lines=seed % 2 == 1) for seed in seeds]
    counts, bad = collections.Counter(), 0
    for text, ours in zip(texts, answers_of(driver, texts), strict=True):
        theirs = doclang_markdown(text)
        counts["the same Markdown" if theirs == ours["markdown_as_docling"] else "other Markdown"] += 1
        marks = set(re.findall(r"\bm\d+q\b", text))
        counts["pages of which docling-core loses words"] += any(mark not in theirs for mark in marks)
        lost = [mark for mark in marks if mark not in ours["markdown"]]
        if lost or ours["warnings"]:
            bad += 1
            print(lost, ours["warnings"], text, sep="\n  ", file=sys.stderr)
    for name, count in counts.items():
        print(f"{count:6} {name}")
    print(f"{bad:6} of {len(texts)} pages are not as they should be")
    return 1 if bad else 0


def answers_of(driver, texts):
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run([driver], input=lines, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    import importlib.metadata

    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("-n", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--doclang", action="store_true", help="pages in DocLang, as docling-core writes them")
    args = parser.parse_args()
    if importlib.metadata.version("docling-core") != "2.104.0":
        parser.error("docling-core must be 2.104.0")
    if args.doclang:
        return compare_doclang(args.driver, range(args.seed, args.seed + args.n))
    pages = [make_page(args.seed + i) for i in range(args.n)]
    answers = answers_of(args.driver, [text for text, _, _ in pages])
    counts, bad = collections.Counter(), 0
    for number, ((text, marks, damages), ours) in enumerate(zip(pages, answers, strict=True)):
        counts["plain pages" if not damages else "damaged pages"] += 1
        counts.update(damages)
        if damages:
            counts[damage_of(text, marks, ours)] += 1
        found = list(faults(text, marks, damages, ours))
        bad += bool(found)
        if found and bad <= 5:
            print(f"page {args.seed + number} {sorted(damages)}: {text!r}", *found, sep="\n  ", file=sys.stderr)
    for name, count in sorted(counts.items(), key=lambda item: -item[1]):
        print(f"{count:6} {name}")
    print(f"{bad:6} of {args.n} pages are not as they should be")
    return 1 if bad else 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
