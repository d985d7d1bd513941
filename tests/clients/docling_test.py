"""docling converts PDF files through the server: its remote VLM pipeline, by its preset and by its older options.

The model is a tiny one with random weights whose vocabulary is that of DocTags: what it writes of a page means nothing,
but it is a document that docling reads, and another one for each page.
"""

import functools
import json
import pathlib
import string
import sys
import tempfile
import urllib.request
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "stubs"))  # torch

from client_test_support import KEY, MODELS, ClientTest, Server
from pdf_pages import write_pages

PAGES = 64
HEADERS = {"Authorization": "Bearer " + KEY}


@functools.cache
def server():
    """One that serves a single model, which answers to any name: docling names its own."""
    return Server(models={"docling": MODELS["docling"]})


@functools.cache
def token_of(text):
    """The id of a text that is one token of the model."""
    body = json.dumps({"content": text}).encode()
    request = urllib.request.Request(server().address + "/tokenize", data=body, headers={**HEADERS, "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        (token,) = json.load(answer)["tokens"]
    return str(token)


@functools.cache
def paragraphs():
    """What makes a model without knowledge write a page of paragraphs, and end it."""
    weights = {"<doctag>": 100, "<text>": 30, "</text>": 24, "</doctag>": 25, **dict.fromkeys(string.ascii_lowercase, 20)}
    return {"logit_bias": {token_of(text): weight for text, weight in weights.items()}, "repetition_penalty": 1.3}


def preset(params=None, concurrency=1):
    """docling's preset for Granite-Docling as it is, but for where the server is."""
    from docling.datamodel.pipeline_options import VlmConvertOptions
    from docling.datamodel.vlm_engine_options import ApiVlmEngineOptions, VlmEngineType

    engine = ApiVlmEngineOptions(
        engine_type=VlmEngineType.API,
        url=server().address + "/v1/chat/completions",
        headers=HEADERS,
        params=params or {},
        concurrency=concurrency,
    )
    return VlmConvertOptions.from_preset("granite_docling", engine_options=engine)


def older(params=None, concurrency=1):
    """docling's older options for Granite-Docling as they are, but for where the server is."""
    from docling.datamodel.vlm_model_specs import GRANITEDOCLING_VLLM_API
    from pydantic import AnyUrl

    options = GRANITEDOCLING_VLLM_API.model_copy(deep=True)
    options.url = AnyUrl(server().address + "/v1/chat/completions")
    options.headers = HEADERS
    options.params.update(params or {})
    options.concurrency = concurrency
    return options


def convert(path, options, batch):
    """What docling makes of a file, with so many pages in a batch."""
    from docling.datamodel.base_models import InputFormat
    from docling.datamodel.pipeline_options import VlmPipelineOptions
    from docling.datamodel.settings import settings
    from docling.document_converter import DocumentConverter, PdfFormatOption
    from docling.pipeline.vlm_pipeline import VlmPipeline

    before, settings.perf.page_batch_size = settings.perf.page_batch_size, batch
    try:
        pipeline = VlmPipelineOptions(enable_remote_services=True, vlm_options=options)
        pdf = PdfFormatOption(pipeline_cls=VlmPipeline, pipeline_options=pipeline)
        return DocumentConverter(format_options={InputFormat.PDF: pdf}).convert(path)
    finally:
        settings.perf.page_batch_size = before


def replies(result):
    return [page.predictions.vlm_response.text for page in result.pages]


class Docling(ClientTest):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.path = pathlib.Path(folder.name) / "pages.pdf"
        write_pages(cls.path, PAGES)
        paragraphs()  # asks the server, which the tests do not count
        cls.alone = replies(convert(cls.path, preset(paragraphs()), 1))

    def which_server(self):
        return server()

    def check(self, result, pages):
        from docling.datamodel.base_models import ConversionStatus

        self.assertEqual(result.status, ConversionStatus.SUCCESS, result.errors)
        self.assertEqual(self.requests(pages), [("/v1/chat/completions", 200)] * pages, "each page once, nothing refused")
        self.assertEqual(sorted(result.document.pages), list(range(1, pages + 1)))
        for text in replies(result):
            self.assertTrue(text.startswith("<doctag>"), text)

    def test_pages_one_by_one(self):
        self.assertEqual(len(self.alone), PAGES)
        self.assertGreater(len(set(self.alone)), PAGES * 3 // 4, "each page has an answer of its own")

    def test_64_at_once_by_the_preset(self):
        result = convert(self.path, preset(paragraphs(), PAGES), PAGES)
        self.check(result, PAGES)
        self.assertEqual(replies(result), self.alone)

    def test_64_at_once_by_the_older_options(self):
        result = convert(self.path, older(paragraphs(), PAGES), PAGES)
        self.check(result, PAGES)
        self.assertEqual([text.removesuffix("</doctag>") for text in replies(result)], self.alone, "these stop at no text")

    def test_nothing_set_but_the_address(self):
        path = self.path.with_name("few.pdf")
        write_pages(path, 9)
        for options in (preset(), older()):
            with self.subTest(type(options).__name__):
                self._before = len(self.server.requests())
                result = convert(path, options, 4)
                self.assertEqual(self.requests(9), [("/v1/chat/completions", 200)] * 9)
                self.assertEqual(sorted(result.document.pages), list(range(1, 10)))
                self.assertTrue(all("stop_reason=length" in e.error_message for e in result.errors), result.errors)


if __name__ == "__main__":
    unittest.main()
