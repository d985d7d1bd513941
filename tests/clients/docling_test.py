"""docling converts a PDF page through the server: its remote VLM pipeline, as documented, over ApiVlmOptions.

The model is a tiny one with random weights whose vocabulary is that of DocTags: what it writes of the page means nothing,
but it is a document that docling reads.
"""

import json
import pathlib
import sys
import tempfile
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent / "stubs"))  # torch

from client_test_support import KEY, ClientTest, server

PAGE = b"BT /F1 24 Tf 72 720 Td (galago reads a page) Tj 0 -40 Td /F1 12 Tf (One line, and another.) Tj ET"


def pdf():
    """A document of one page with two lines of text."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(PAGE), PAGE),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, start)


class Docling(ClientTest):
    def leaning_to(self, *tokens):
        """What makes a model without knowledge write these where they may stand."""
        return {"model": "docling", "max_tokens": 200, "logit_bias": {self.token_of(token): 100 for token in tokens}}

    def token_of(self, text):
        """The id of a special token of the model."""
        body = json.dumps({"model": "docling", "content": text}).encode()
        headers = {"Authorization": "Bearer " + KEY, "Content-Type": "application/json"}
        request = urllib.request.Request(server().address + "/tokenize", data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            (token,) = json.load(answer)["tokens"]
        return str(token)

    def convert(self, options, finished):
        from docling.datamodel.base_models import ConversionStatus, InputFormat
        from docling.datamodel.pipeline_options import VlmPipelineOptions
        from docling.document_converter import DocumentConverter, PdfFormatOption
        from docling.pipeline.vlm_pipeline import VlmPipeline

        pipeline = VlmPipelineOptions(enable_remote_services=True, vlm_options=options)
        converter = DocumentConverter(
            format_options={InputFormat.PDF: PdfFormatOption(pipeline_cls=VlmPipeline, pipeline_options=pipeline)}
        )
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "page.pdf"
            path.write_bytes(pdf())
            result = converter.convert(path)
        if finished:
            self.assertEqual(result.status, ConversionStatus.SUCCESS, result.errors)
        else:
            self.assertIn(result.status, (ConversionStatus.SUCCESS, ConversionStatus.PARTIAL_SUCCESS), result.errors)
            self.assertTrue(all("stop_reason=length" in e.error_message for e in result.errors), result.errors)
        return result

    def test_a_page_is_converted(self):
        from docling.datamodel.pipeline_options_vlm_model import ApiVlmOptions, ResponseFormat

        result = self.convert(
            ApiVlmOptions(
                url=server().address + "/v1/chat/completions",
                headers={"Authorization": "Bearer " + KEY},
                params={**self.leaning_to("<doctag>"), "skip_special_tokens": True},
                prompt="Convert this page to docling.",
                timeout=60,
                scale=2.0,
                temperature=0.0,
                response_format=ResponseFormat.DOCTAGS,
            ),
            finished=False,
        )
        self.assertEqual(self.requests()[1:], [("/v1/chat/completions", 200)])
        self.assertEqual(len(result.document.pages), 1)
        self.assertTrue(result.pages[0].predictions.vlm_response.text.startswith("<doctag>"))

    def test_its_preset_for_granite_docling(self):
        from docling.datamodel.pipeline_options import VlmConvertOptions
        from docling.datamodel.vlm_engine_options import ApiVlmEngineOptions, VlmEngineType

        options = VlmConvertOptions.from_preset(
            "granite_docling",
            engine_options=ApiVlmEngineOptions(
                engine_type=VlmEngineType.API,
                url=server().address + "/v1/chat/completions",
                headers={"Authorization": "Bearer " + KEY},
                params=self.leaning_to("<doctag>", "</doctag>"),
                timeout=60,
            ),
        )
        result = self.convert(options, finished=True)
        self.assertEqual(self.requests()[2:], [("/v1/chat/completions", 200)])
        self.assertEqual(len(result.document.pages), 1)
        self.assertEqual(result.pages[0].predictions.vlm_response.text, "<doctag>", "up to the stop text")


if __name__ == "__main__":
    unittest.main()
