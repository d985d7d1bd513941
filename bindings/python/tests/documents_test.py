"""Documents: DocTags to Markdown and docling's documents, PDF files and pictures through galago.convert."""

import concurrent.futures
import io
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import warnings

import galago
import pypdfium2
from docling_core.types.doc import DoclingDocument
from galago import _convert
from PIL import Image
from support import MODELS, ROOT, SHAPES

PAGES = ROOT / "models" / "demo-page" / "pages"

PAGE = (
    "<doctag><title><loc_50><loc_20><loc_450><loc_60>Pages read</title><text><loc_50><loc_70><loc_450><loc_90>Some words</text>"
    "<otsl><loc_50><loc_100><loc_450><loc_200><ched>year<ched>pages<nl><fcel>2024<fcel>12<nl></otsl></doctag>"
)


def worded_pdf(turn, entries):
    """A page of 200 x 200 points with two lines of words, in two sizes."""
    content = b"BT /F 12 Tf 20 150 Td (The quick fox) Tj ET BT /F 20 Tf 30 60 Td (jumps) Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]{entries}/Rotate {turn}/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>".encode(),
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    tail = b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n"
    return out + tail % (table, len(out))


class Documents(unittest.TestCase):
    def test_doctags_to_everything(self):
        document = galago.parse_doctags(PAGE, name="report")
        self.assertEqual((document.name, document.pages, document.repairs), ("report", 1, []))
        self.assertTrue(document.markdown().startswith("# Pages read\n\nSome words\n\n|"))
        self.assertIn("Some words", document.text())
        self.assertIn("<h1>Pages read</h1>", document.html())
        self.assertEqual(galago.parse_doctags(document.doctags(), name="report").markdown(), document.markdown())
        docling = document.docling()
        self.assertIsInstance(docling, DoclingDocument)
        self.assertEqual(docling.export_to_markdown(), document.markdown())
        self.assertEqual(docling.tables[0].data.num_cols, 2)

    def test_what_is_broken_is_put_right(self):
        document = galago.parse_doctags("<doctag><text>Some wor")
        self.assertEqual(document.markdown(), "Some wor")
        self.assertIn("unclosed_tag", [repair.kind for repair in document.repairs])
        for bad in (None, 3, b"<doctag>"):
            with self.assertRaises(TypeError):
                galago.parse_doctags(bad)


class Convert(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = galago.Model(MODELS / "docling")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def pdf(self, pages, name="in.pdf"):
        pdf = pypdfium2.PdfDocument.new()
        for number in range(pages):
            pdf.new_page(60 + number, 40)
        pdf.save(self.folder / name)
        return self.folder / name

    def convert(self, sources, **options):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            documents = list(galago.convert(self.model, sources, **{"max_tokens": 8, "retry": False, **options}))
        return documents, [str(one.message) for one in told if issubclass(one.category, galago.PageWarning)]

    def test_sources_of_every_kind(self):
        tiff = self.folder / "two.tiff"
        Image.new("L", (20, 10)).save(tiff, save_all=True, append_images=[Image.new("L", (30, 10), 200)])
        sources = [self.pdf(3), SHAPES, tiff, Image.new("RGBA", (16, 16))]
        documents, told = self.convert(sources)
        self.assertEqual([document.name for document in documents], ["in", SHAPES.stem, "two", "Document"])
        self.assertEqual([len(document.pages) for document in documents], [3, 1, 2, 1])
        self.assertEqual([documents[0].pages[n].size.width for n in (1, 2, 3)], [60, 61, 62])
        self.assertEqual(documents[2].pages[2].size.width, 30)
        self.assertEqual(len(told), 7, "tiny random models never end")
        self.assertIn("in.pdf: page 2: ends at the token limit, so the rest is missing", told[1])
        for document in documents:
            self.assertIsInstance(document, DoclingDocument)

    def test_some_pages(self):
        documents, _ = self.convert(self.pdf(4), pages=[2, 4])
        self.assertEqual(sorted(documents[0].pages), [2, 4])

    def test_pages_as_the_command_line_has_them(self):
        path = self.pdf(5)
        for pages, expected in (("2-3,5", [2, 3, 5]), (4, [4]), (range(1, 3), [1, 2])):
            documents, _ = self.convert(path, pages=pages)
            self.assertEqual(sorted(documents[0].pages), expected)
        with self.assertRaises(galago.InputError):
            self.convert(path, pages=[9])
        for bad in ("0", "x", ""):
            with self.assertRaises(galago.UsageError):
                self.convert(path, pages=bad)
        with self.assertRaises(ValueError):
            self.convert(path, pages=[0])

    def test_a_page_that_cannot_be_drawn_costs_itself(self):
        pdf = pypdfium2.PdfDocument.new()
        for width in (60, 20000, 61):
            pdf.new_page(width, width if width > 100 else 40)
        pdf.save(self.folder / "huge.pdf")
        documents, told = self.convert(self.folder / "huge.pdf", on_error="warn")
        self.assertEqual(sorted(documents[0].pages), [1, 3])
        self.assertTrue(any("60000x60000 pixels" in one for one in told), told)
        with self.assertRaises(galago.InputTooLargeError):
            self.convert(self.folder / "huge.pdf")

    def test_several_threads(self):
        path = self.pdf(6)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            every = list(pool.map(lambda _: next(galago.read_documents(self.model, path, max_tokens=4, retry=False)).markdown(), range(12)))
        self.assertEqual(len(set(every)), 1)

    def test_what_is_no_source(self):
        for bad in (3, [3], [None], [io.BytesIO()]):
            with self.assertRaises(TypeError):
                self.convert(bad)

    def test_answers_are_those_of_single_questions(self):
        path = self.pdf(1)
        page = pypdfium2.PdfDocument(path)[0]
        image = page.render(scale=3).to_pil().resize([round(2 * side) for side in page.get_size()])  # as docling draws
        alone = self.model.ask("Convert this page to docling.", [image], max_tokens=8, logprobs=0)
        (document,) = galago.read_documents(self.model, path, max_tokens=8, retry=False)
        self.assertEqual(document.markdown(), galago.parse_doctags(alone).markdown())

    def test_guesses_change_nothing(self):
        path = PAGES / "sample.pdf"
        model = galago.Model(PAGES.parent)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", galago.PageWarning)
            (drafted,) = galago.read_documents(model, path)
            (plain,) = galago.read_documents(model, path, use_draft=False)
        self.assertEqual(drafted.doctags(), plain.doctags())
        self.assertGreater(len(plain.doctags()), 100)

    def test_a_draft_of_ones_own(self):
        def ask(**more):
            return self.model.ask("Convert this page to docling.", [SHAPES], max_tokens=40, logprobs=1, **more)

        plain = ask()
        for draft in (plain.text, ["other words", plain.text[: len(plain.text) // 2]], []):
            answer = ask(draft=draft)
            self.assertEqual(answer.tokens, plain.tokens)
            self.assertEqual([token.logprob for token in answer.logprobs], [token.logprob for token in plain.logprobs])
        self.assertGreater(ask(draft=plain.text).usage.accepted_tokens, 0)
        self.assertEqual(plain.usage.drafted_tokens, 0)
        for bad in (3, [3], [None]):
            with self.assertRaises(TypeError):
                ask(draft=bad)
        with self.assertRaises(galago.InputError):
            ask(draft="\ud800")

    def test_words_of_a_pdf(self):
        for turn, crop in ((0, ""), (90, ""), (270, ""), (0, "/CropBox[10 20 180 180]")):
            path = self.folder / "words.pdf"
            path.write_bytes(worded_pdf(turn, crop))
            with pypdfium2.PdfDocument(path) as pdf:
                words = _convert._words(pdf[0])
            self.assertEqual([word[0] for word in words], ["The", "quick", "fox", "jumps"])
            for _, left, top, right, bottom in words:
                self.assertTrue(0 <= left < right <= 1 and 0 <= top < bottom <= 1)
            if not shutil.which("pdftotext"):
                continue
            command = ["pdftotext", "-cropbox", "-bbox", path, "-"]
            shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            width, height = map(float, re.search(r'<page width="([\d.]+)" height="([\d.]+)"', shown).groups())
            found = re.findall(r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">(\w+)<', shown)
            theirs = {word: tuple(map(float, box)) for *box, word in found}
            self.assertEqual(sorted(theirs), sorted(word[0] for word in words))
            for text, *ours in words:
                left, top, right, bottom = theirs[text]
                self.assertAlmostEqual((ours[0] + ours[2]) / 2, (left + right) / 2 / width, delta=0.03)
                self.assertAlmostEqual((ours[1] + ours[3]) / 2, (top + bottom) / 2 / height, delta=0.03)
        self.assertEqual(galago._core.draft_texts(words), ["The quick fox", "jumps"])
        with pypdfium2.PdfDocument(PAGES / "sample.pdf") as pdf:
            self.assertEqual(_convert._words(pdf[0]), [], "its pages are pictures")

    def test_the_text_layer_corrects_and_pages_are_joined(self):
        read = galago._core.parse_doctags("<doctag><text><loc_10><loc_10><loc_400><loc_60>Tne quick brovvn fox</text></doctag>", None)
        line = [(text, 0.05 + 0.1 * i, 0.05, 0.12 + 0.1 * i, 0.08) for i, text in enumerate("The quick brown fox".split())]
        self.assertEqual(read.correct(line), 1)
        self.assertEqual(read.markdown(None, False), "The quick brown fox")
        self.assertEqual(read.correct([]), 0)
        more = galago._core.parse_doctags("<doctag><text>jumps over it.</text></doctag>", None)
        read.describe_page(1, 100, 100, True, None)
        more.describe_page(2, 100, 100, True, None)
        read.append(more)
        self.assertEqual(read.join_pages(), 1)
        self.assertEqual(read.markdown(None, False), "The quick brown fox jumps over it.")
        documents, _ = self.convert(self.pdf(2), join_pages=True, text_layer=True)
        self.assertEqual(len(documents[0].pages), 2)

    def test_a_page_is_read_again(self):
        path = self.pdf(2)
        (once,), told = self.convert(path, retry=True)
        (again,), _ = self.convert(path, retry=True)
        self.assertEqual(once, again)
        self.assertEqual(len(told), 2)

    def test_files_that_cannot_be_read(self):
        broken = self.folder / "broken.pdf"
        broken.write_bytes(b"%PDF-1.4 and no more")
        missing = self.folder / "missing.png"
        with self.assertRaises(galago.InputError):
            self.convert([broken])
        with self.assertRaises(FileNotFoundError):
            self.convert([missing])
        documents, told = self.convert([broken, self.pdf(1), missing], on_error="warn")
        self.assertEqual([document.name for document in documents], ["in"])
        self.assertEqual(len(told), 3)
        with self.assertRaises(ValueError):
            self.convert([broken], on_error="ignore")

    def test_documents_come_as_they_are_ready(self):
        many = (self.pdf(1, f"{number}.pdf") for number in range(1000))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            documents = galago.convert(self.model, many, max_tokens=4, retry=False)
            self.assertEqual([next(documents).name for _ in range(3)], ["0", "1", "2"])
            documents.close()
        self.assertLess(len(list(self.folder.iterdir())), 100)


if __name__ == "__main__":
    unittest.main()
