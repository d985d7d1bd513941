"""Questions from Python: the same answers as the command line gives."""

import base64
import unittest

import galago
import numpy
import PIL.Image
from support import CAT, DEMO, MODELS, QUESTION, SHAPES, TINY, run


class SameAsTheProgram(unittest.TestCase):
    def check(self, model, picture, **options):
        with galago.Model(model) as loaded:
            answer = loaded.chat(QUESTION, [picture] if picture else [], max_tokens=12, **options)
        words = ["-m", model, "-p", QUESTION, "-n", "12"] + (["-i", picture] if picture else [])
        wanted = run(*words)
        self.assertEqual(answer.text, wanted["text"])
        self.assertEqual(list(answer.tokens), wanted["token_ids"])
        self.assertEqual(list(answer.prompt_tokens), wanted["prompt_token_ids"])
        self.assertEqual(answer.finish_reason, wanted["finish_reason"])
        self.assertEqual(answer.usage.image_tokens, wanted["usage"]["image_tokens"])

    def test_demo(self):
        self.check(DEMO, CAT)

    def test_tiny_models(self):
        for name in ("smolvlm_tiles", "idefics3_llama3", "llava_granite"):
            with self.subTest(name):
                self.check(MODELS / name, SHAPES)

    def test_without_a_picture(self):
        self.check(TINY, None)

    def test_logprobs_to_the_last_bit(self):
        with galago.Model(TINY) as model:
            answer = model.chat(QUESTION, [SHAPES], max_tokens=8, logprobs=3)
        wanted = run("-m", TINY, "-p", QUESTION, "-i", SHAPES, "-n", "8", "--logprobs", "3")["tokens"]
        self.assertEqual([token.logprob for token in answer.logprobs], [token["logprob"] for token in wanted])
        self.assertEqual([len(token.top) for token in answer.logprobs], [3] * 8)
        self.assertEqual(bytes(answer.logprobs[0].bytes), bytes(wanted[0]["bytes"]))


class Pictures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = galago.Model(DEMO)
        cls.wanted = cls.model.chat(QUESTION, [CAT]).tokens

    def test_every_form(self):
        pillow = PIL.Image.open(CAT)
        pixels = numpy.asarray(pillow)
        forms = {
            "path": CAT,
            "str": str(CAT),
            "file: URI": CAT.as_uri(),
            "data: URI": "data:image/jpeg;base64," + base64.b64encode(CAT.read_bytes()).decode(),
            "bytes": CAT.read_bytes(),
            "bytearray": bytearray(CAT.read_bytes()),
            "memoryview": memoryview(CAT.read_bytes()),
            "Pillow": pillow,
            "numpy": pixels,
            "galago": galago.image(CAT),
        }
        for name, form in forms.items():
            with self.subTest(name):
                self.assertEqual(self.model.chat(QUESTION, [form]).tokens, self.wanted)

    def test_in_a_conversation(self):
        ask = {"type": "text", "text": QUESTION}
        pillow = PIL.Image.open(CAT)
        for name, content, images in (
            ("placeholder", [{"type": "image"}, ask], [CAT]),
            ("object", [{"type": "image", "image": pillow}, ask], []),
            ("path", [{"type": "image", "path": str(CAT)}, ask], []),
            ("OpenAI", [{"type": "image_url", "image_url": {"url": CAT.as_uri()}}, ask], []),
            ("OpenAI, object", [{"type": "image_url", "image_url": {"url": CAT}}, ask], []),
            ("text alone", QUESTION, [CAT]),
        ):
            with self.subTest(name):
                messages = [{"role": "user", "content": content}]
                self.assertEqual(self.model.chat(messages, images).tokens, self.wanted)

    def test_as_many_as_parts(self):
        messages = [{"role": "user", "content": [{"type": "image"}, {"type": "image"}]}]
        with self.assertRaisesRegex(galago.InputError, "2 parts"):
            self.model.chat(messages, [CAT])


class Pieces(unittest.TestCase):
    def test_pieces_are_the_answer(self):
        with galago.Model(TINY) as model:
            whole = model.chat(QUESTION, [SHAPES], max_tokens=10)
            stream = model.chat(QUESTION, [SHAPES], max_tokens=10, stream=True)
            self.assertEqual("".join(str(piece) for piece in stream), whole.text)
            self.assertEqual(stream.answer, whole)
            stream = model.chat(QUESTION, [SHAPES], max_tokens=10, stream=True)
            next(stream)
            self.assertEqual(stream.answer, whole)
            self.assertEqual(list(stream), [])

    def test_leaving_ends_the_request(self):
        with galago.Model(TINY) as model:
            with model.chat(QUESTION, [SHAPES], max_tokens=1000, ignore_eos=True, stream=True) as stream:
                next(stream)
            self.assertEqual(stream.answer.finish_reason, "cancelled")

    def test_a_stream_that_fails(self):
        with galago.Model(TINY) as model:
            stream = model.chat(QUESTION, [SHAPES], max_tokens=1900, ignore_eos=True, timeout_ms=1, stream=True)
            with self.assertRaises(TimeoutError) as caught:
                list(stream)
            self.assertIsInstance(caught.exception, galago.TimeoutError)
            with self.assertRaises(galago.UsageError):
                next(stream)


if __name__ == "__main__":
    unittest.main()
