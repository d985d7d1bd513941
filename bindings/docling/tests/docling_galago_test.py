"""docling's pipelines run on galago in one process: the same answers as galago gives alone, nothing lost, errors told of."""

import os
import pathlib
import re
import string
import subprocess
import sys
import tempfile
import unittest
import warnings
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[3]
CLIENTS = ROOT / "tests" / "clients"
sys.path[:0] = [str(CLIENTS), str(CLIENTS / "stubs")]  # pdf_pages; torch, which docling imports and does not need here

import galago
from docling.backend.pypdfium2_backend import PyPdfiumDocumentBackend
from docling.datamodel.accelerator_options import AcceleratorOptions
from docling.datamodel.base_models import ConversionStatus, InputFormat, VlmStopReason
from docling.datamodel.document import InputDocument
from docling.datamodel.pipeline_options import VlmConvertOptions, VlmPipelineOptions
from docling.datamodel.settings import settings
from docling.datamodel.vlm_engine_options import ApiVlmEngineOptions, BaseVlmEngineOptions
from docling.document_converter import DocumentConverter, PdfFormatOption
from docling.models.inference_engines.vlm import VlmEngineInput, VlmEngineType
from docling_galago import (
    GalagoEngineOptions,
    GalagoPictureDescriptionOptions,
    GalagoVlmConvertModel,
    GalagoVlmEngine,
    GalagoVlmPipeline,
)
from galago import _convert
from pdf_pages import write_pages
from PIL import Image

MODELS = ROOT / "tests" / "data" / "models"
PAGES = 9
QUESTION = "Convert this page to docling."


class DoclingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = galago.Model(MODELS / "docling")
        cls.addClassCleanup(cls.model.close)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(setattr, settings.perf, "page_batch_size", settings.perf.page_batch_size)
        self.path = pathlib.Path(folder.name) / "pages.pdf"
        write_pages(self.path, PAGES)

    def pictures(self, result):
        """The pages as docling drew them for the model."""
        return [page.image.pil_image.convert("RGB") for page in result.document.pages.values()]

    def options(self, engine=None, **more):
        engine = engine or GalagoEngineOptions(model=self.model, params={"max_tokens": 24})
        return VlmPipelineOptions(vlm_options=VlmConvertOptions.from_preset("granite_docling", engine_options=engine), images_scale=2.0, **more)

    def convert(self, options, raises_on_error=True):
        pdf = PdfFormatOption(pipeline_cls=GalagoVlmPipeline, pipeline_options=options)
        converter = DocumentConverter(format_options={InputFormat.PDF: pdf})
        return converter.convert(self.path, raises_on_error=raises_on_error)

    def token(self, text):
        (token,) = self.model.tokenize(text, parse_special=True)
        return token


class Pages(DoclingTest):
    def test_answers_are_those_of_galago_alone(self):
        settings.perf.page_batch_size = 4  # 4, 4, 1
        result = self.convert(self.options())
        self.assertEqual(result.status, ConversionStatus.PARTIAL_SUCCESS, "a tiny random model never ends")
        self.assertEqual([error.page_no for error in result.errors], list(range(1, PAGES + 1)))
        self.assertTrue(all("stop_reason=length" in error.error_message for error in result.errors))
        read = [page.predictions.vlm_response for page in result.pages]
        for image, response in zip(self.pictures(result), read, strict=True):
            self.assertEqual(image.size, (600, 800))
            alone = self.model.ask(QUESTION, [image], max_tokens=24, stop=["</doctag>", "<|end_of_text|>"])
            self.assertEqual(response.text, alone.text.strip())
            self.assertEqual((response.stop_reason, response.num_tokens), (VlmStopReason.LENGTH, 24))
            self.assertEqual(response.usage["prompt_tokens"], len(alone.prompt_tokens))
        self.assertGreater(len({response.text for response in read}), PAGES // 2)

    def test_the_document_is_that_of_galago_convert(self):
        weights = {"<doctag>": 100, "<text>": 30, "</text>": 24, "</doctag>": 25, **dict.fromkeys(string.ascii_lowercase, 20)}
        bias = {self.token(text): weight for text, weight in weights.items()}
        params = {"logit_bias": bias, "repetition_penalty": 1.3, "max_tokens": 1000}
        result = self.convert(self.options(GalagoEngineOptions(model=self.model, params=params)))
        self.assertEqual(result.status, ConversionStatus.SUCCESS, "each page ends, so that docling-core loses none of its text")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", galago.PageWarning)  # the same again and again
            ours = list(galago.convert(self.model, self.pictures(result), retry=False, **params))
            (of_file,) = galago.convert(self.model, self.path, retry=False, **params)
        written = [page.export_to_markdown() for page in ours]
        self.assertEqual(result.document.export_to_markdown(), "\n\n".join(text for text in written if text))
        self.assertGreater(len(result.document.texts), PAGES)
        self.assertGreater(len(set(written)), PAGES // 2)
        for theirs, page in zip(result.document.pages.values(), of_file.pages.values(), strict=True):
            self.assertEqual(theirs.size.as_tuple(), (2 * page.size.width, 2 * page.size.height), "by images_scale")

    def test_pages_are_drawn_as_docling_draws_them(self):
        pages = []

        def watched(model, requests, make, options):
            return _stream(model, requests, lambda page: pages.append(page.image) or make(page), options)

        _stream = _convert.stream
        with mock.patch.object(_convert, "stream", watched), warnings.catch_warnings():
            warnings.simplefilter("ignore", galago.PageWarning)
            list(galago.convert(self.model, self.path, retry=False, max_tokens=2))
        self.assertEqual(len(pages), PAGES)
        document = InputDocument(path_or_stream=self.path, format=InputFormat.PDF, backend=PyPdfiumDocumentBackend)
        for number, image in enumerate(pages):
            theirs = document._backend.load_page(number).get_page_image(scale=2.0)
            self.assertEqual((image.mode, image.size), (theirs.mode, theirs.size))
            self.assertEqual(image.tobytes(), theirs.tobytes())

    def test_pages_of_a_batch_are_read_together(self):
        settings.perf.page_batch_size = 64
        sizes = []

        class Counting(galago.Model):
            def generate(self, requests, **options):
                requests = list(requests)
                sizes.append(len(requests))
                return super().generate(requests, **options)

        with Counting(MODELS / "docling") as model:
            self.convert(self.options(GalagoEngineOptions(model=model, params={"max_tokens": 4})))
        self.assertEqual(sizes, [PAGES])

    def test_tokens_have_their_probabilities(self):
        result = self.convert(self.options(GalagoEngineOptions(model=self.model, params={"max_tokens": 5, "logprobs": 0})))
        for page in result.pages:
            tokens = page.predictions.vlm_response.generated_tokens
            self.assertEqual(len(tokens), 5)
            self.assertTrue(all(token.logprob <= 0 for token in tokens))

    def test_a_page_that_fails_costs_itself_alone(self):
        engine = GalagoVlmEngine(GalagoEngineOptions(model=self.model, params={"max_tokens": 4}), "")
        image = Image.new("RGB", (40, 40))
        good = VlmEngineInput(image=image, prompt=QUESTION)
        bad = VlmEngineInput(image=image, prompt="word " * 5000)  # over the context
        first, second, third = engine.predict_batch([good, bad, good])
        self.assertEqual(first.text, third.text)
        self.assertEqual((second.text, second.stop_reason), ("", "inference_error"))
        self.assertIn("context", second.metadata["error"])
        self.assertEqual(engine.predict_batch([]), [])

    def test_what_is_not_looked_at_is_told_of(self):
        engine = GalagoVlmEngine(GalagoEngineOptions(model=self.model, params={"max_tokens": 2}), "")
        extra = {"custom_stopping_criteria": [object()]}
        with self.assertLogs("docling_galago", "WARNING"):
            engine.predict_batch([VlmEngineInput(image=Image.new("RGB", (40, 40)), prompt=QUESTION, extra_generation_config=extra)])
        with self.assertNoLogs("docling_galago", "WARNING"):
            engine.predict_batch([VlmEngineInput(image=Image.new("RGB", (40, 40)), prompt=QUESTION)])

    def test_options_that_are_wrong_are_told_of(self):
        options = self.options(GalagoEngineOptions(model=self.model, params={"max_token": 4}))
        with self.assertRaisesRegex(RuntimeError, "GalagoVlmPipeline failed") as raised:
            self.convert(options)
        self.assertRegex(str(raised.exception.__cause__), "max_token: no such option")
        with self.assertRaisesRegex(ValueError, "got ApiVlmEngineOptions"):
            GalagoVlmPipeline(self.options(ApiVlmEngineOptions(engine_type=VlmEngineType.API), enable_remote_services=True))
        from docling.datamodel.vlm_model_specs import GRANITEDOCLING_VLLM_API

        with self.assertRaisesRegex(ValueError, "got ApiVlmOptions"):
            GalagoVlmPipeline(VlmPipelineOptions(vlm_options=GRANITEDOCLING_VLLM_API))


class Models(DoclingTest):
    def stage(self, artifacts_path, engine=None):
        options = VlmConvertOptions.from_preset("granite_docling", **({"engine_options": engine} if engine else {}))
        return GalagoVlmConvertModel(options, artifacts_path, AcceleratorOptions())

    def test_artifacts(self):
        folder = self.path.parent
        with self.assertRaises(galago.NotFoundError):
            self.stage(folder)
        (folder / "ibm-granite--granite-docling-258M").symlink_to(MODELS / "docling")
        self.assertEqual(self.stage(folder).engine.model.digest(), self.model.digest(), "docling's default, AUTO_INLINE")

    def test_a_path_and_how_it_is_loaded(self):
        stage = self.stage(None, GalagoEngineOptions(model=MODELS / "docling", load={"max_sequences": 2}))
        self.assertEqual(stage.engine.model.digest(), self.model.digest())
        with self.assertRaisesRegex(TypeError, "thread: no such option"):
            self.stage(None, GalagoEngineOptions(model=MODELS / "docling", load={"thread": 2}))

    def test_docling_keeps_its_own_engines(self):
        auto = BaseVlmEngineOptions._registry[VlmEngineType.AUTO_INLINE]
        self.assertEqual(auto.__name__, "AutoInlineVlmEngineOptions")


class Pictures(DoclingTest):
    def test_pictures_of_pages_are_described(self):
        bias = {self.token(text): weight for text, weight in (("<doctag>", 100), ("<picture>", 80))}
        describe = GalagoPictureDescriptionOptions(
            model=MODELS / "smolvlm_tiles", prompt="What is it?", params={"max_tokens": 6}, picture_area_threshold=0
        )
        options = self.options(
            GalagoEngineOptions(model=self.model, params={"max_tokens": 40, "logit_bias": bias}),
            allow_external_plugins=True,
            do_picture_description=True,
            picture_description_options=describe,
        )
        document = self.convert(options).document
        self.assertGreater(len(document.pictures), 0)
        for picture in document.pictures:
            self.assertTrue(picture.meta.description.text)
            self.assertIn("(galago)", picture.meta.description.created_by)

    def test_docling_wants_to_be_asked(self):
        with self.assertRaisesRegex(RuntimeError, "No class found"):
            GalagoVlmPipeline(self.options(picture_description_options=GalagoPictureDescriptionOptions()))


class Readme(DoclingTest):
    def test_programs_run(self):
        """As they stand, with tiny models where docling looks for models."""
        folder = self.path.parent
        self.path.rename(folder / "report.pdf")
        (folder / "ibm-granite--granite-docling-258M").symlink_to(MODELS / "docling")
        page = (ROOT / "bindings" / "docling" / "README.md").read_text()
        programs = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        self.assertEqual(len(programs), 3)
        command = [sys.executable, "-B", "-W", "ignore", "-c", "\n".join(programs)]
        environment = {**os.environ, "PYTHONPATH": str(CLIENTS / "stubs"), "DOCLING_ARTIFACTS_PATH": str(folder)}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)


class Typed(unittest.TestCase):
    def test_mypy(self):
        package = ROOT / "bindings" / "docling" / "docling_galago"
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "/dev/null", "--follow-imports", "silent"]
        done = subprocess.run([*command, str(package)], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
