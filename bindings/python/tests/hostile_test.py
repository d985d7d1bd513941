"""Pictures, texts and options as strangers and mistakes bring them: an answer that is right, or an exception that says why."""

import io
import os
import unittest

import galago
import numpy
import PIL.Image
from support import QUESTION, SHAPES, TINY


class Tensor:
    """A tensor by DLPack alone, as torch's are."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **_):
        return self.array.__dlpack__()

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Arrays(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pixels = numpy.asarray(PIL.Image.open(SHAPES).convert("RGB")).copy()

    def pixels_of(self, source):
        return numpy.asarray(galago.image(source))

    def test_pixels_are_shown_without_a_copy(self):
        image = galago.image(SHAPES)
        first, second = numpy.asarray(image), numpy.asarray(image)
        self.assertEqual(first.ctypes.data, second.ctypes.data)
        self.assertEqual(first.ctypes.data, image.__array_interface__["data"][0])
        self.assertFalse(first.flags.writeable)
        self.assertTrue(numpy.array_equal(first, self.pixels))
        del image
        self.assertTrue(numpy.array_equal(first, self.pixels))

    def test_any_strides(self):
        rgba = numpy.dstack([self.pixels, numpy.zeros(self.pixels.shape[:2], numpy.uint8)])
        backwards = numpy.ascontiguousarray(self.pixels[:, :, ::-1])
        forms = {
            "a view of more channels": rgba[:, :, :3],
            "negative strides": backwards[:, :, ::-1],
            "columns first": numpy.asfortranarray(self.pixels),
            "tensor": Tensor(self.pixels),
        }
        for name, form in forms.items():
            with self.subTest(name):
                self.assertTrue(numpy.array_equal(self.pixels_of(form), self.pixels))
        self.assertTrue(numpy.array_equal(self.pixels_of(self.pixels[::-2, ::3]), self.pixels[::-2, ::3]))

    def test_read_only(self):
        frozen = self.pixels.copy()
        frozen.flags.writeable = False
        self.assertTrue(numpy.array_equal(self.pixels_of(frozen), self.pixels))

    def test_what_is_no_picture(self):
        for name, array, text in (
            ("floats", self.pixels / 255, "float64"),
            ("NaN", numpy.full((4, 4, 3), numpy.nan, numpy.float32), "float32"),
            ("signed", self.pixels.astype(numpy.int8), "int8"),
            ("wide", self.pixels.astype(numpy.uint16), "uint16"),
            ("bool", self.pixels > 3, "bool"),
            ("channels first", self.pixels.transpose(2, 0, 1), "transpose"),
            ("grey", self.pixels[:, :, 0], r"shape \[80, 100\]"),
            ("RGBA", numpy.zeros((4, 4, 4), numpy.uint8), "shape"),
            ("a number", numpy.uint8(3), "shape|numbers"),
            ("empty", numpy.zeros((0, 4, 3), numpy.uint8), "0 bytes"),
            ("objects", numpy.empty((2, 2, 3), object), "numbers"),
        ):
            with self.subTest(name), self.assertRaisesRegex(galago.InputError, text):
                galago.image(array)

    def test_larger_than_memory(self):
        for shape in ((60000, 60000, 3), (1 << 30, 1 << 30, 3), (1, 70000, 3)):
            huge = numpy.lib.stride_tricks.as_strided(numpy.zeros(3, numpy.uint8), shape, (0, 0, 1))
            with self.assertRaises(galago.InputTooLargeError):
                galago.image(huge)

    def test_an_array_that_changes_afterwards(self):
        pixels = self.pixels.copy()
        image = galago.image(pixels)
        pixels[:] = 0
        self.assertTrue(numpy.array_equal(numpy.asarray(image), self.pixels))

    def test_torch(self):
        try:
            import torch
        except ImportError:
            self.skipTest("no torch")
        tensor = torch.from_numpy(self.pixels)
        for form in (tensor, tensor.permute(2, 0, 1).contiguous().permute(1, 2, 0)):
            self.assertTrue(numpy.array_equal(self.pixels_of(form), self.pixels))
        with self.assertRaisesRegex(galago.InputError, "permute"):
            galago.image(tensor.permute(2, 0, 1))
        with self.assertRaisesRegex(galago.InputError, "bfloat16"):
            galago.image(tensor.to(torch.bfloat16))


class Files(unittest.TestCase):
    def test_pillow(self):
        picture = PIL.Image.open(SHAPES)
        for mode in ("RGB", "RGBA", "L", "P", "CMYK", "1", "LA", "I;16"):
            with self.subTest(mode):
                converted = picture.convert("L").convert("I").convert("I;16") if mode == "I;16" else picture.convert(mode)
                wanted = numpy.asarray(converted.convert("RGB"))
                self.assertTrue(numpy.array_equal(numpy.asarray(galago.image(converted)), wanted))

    def test_pillow_closed_or_cut(self):
        closed = PIL.Image.open(SHAPES)
        closed.close()
        with self.assertRaisesRegex(galago.InputError, "Pillow"):
            galago.image(closed)
        cut = PIL.Image.open(io.BytesIO(SHAPES.read_bytes()[:200]))
        with self.assertRaisesRegex(galago.InputError, "Pillow"):
            galago.image(cut)

    def test_names(self):
        for name, source, kind in (
            ("missing", "no such picture.png", galago.NotFoundError),
            ("byte 0", str(SHAPES) + "\0.jpg", galago.InputError),
            ("bytes 0", os.fsencode(SHAPES) + b"\0", galago.InputError),
            ("half of a pair", "\ud83d.png", galago.InputError),
            ("no UTF-8", "\udcff.png", galago.NotFoundError),
            ("on the web", "https://example.org/cat.png", galago.UsageError),
            ("folder", str(SHAPES.parent), galago.InputError),
            ("no picture", b"not a picture", galago.InputError),
            ("empty", b"", galago.InputError),
            ("data: URI", "data:image/png;base64,####", galago.InputError),
            ("data: URI, not ASCII", "data:image/png;base64,\u00e4", galago.InputError),
            ("another host", "file://example.org/cat.png", galago.UsageError),
        ):
            with self.subTest(name), self.assertRaises(kind):
                galago.image(source)
        for nothing in (None, 3, object(), [SHAPES], {"path": SHAPES}):
            with self.subTest(repr(nothing)), self.assertRaises(TypeError):
                galago.image(nothing)


class Questions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = galago.Model(TINY)

    def ask(self, *words, **options):
        return self.model.chat(*words, **{"max_tokens": 2, **options})

    def test_texts(self):
        class Text(str):
            def __str__(self):
                return "another text"

        self.assertEqual(self.ask(Text(QUESTION)).prompt_tokens, self.ask(QUESTION).prompt_tokens)
        self.ask("\0 and \u202e")
        for text in ("\ud800", [{"role": "user", "content": "\ud800"}], [{"role": "\ud800", "content": "a"}]):
            with self.assertRaises(galago.InputError):
                self.ask(text)
        with self.assertRaises(galago.InputTooLargeError):
            self.ask("a" * (17 << 20))

    def test_messages(self):
        round_and_round = []
        round_and_round.append({"role": "user", "content": round_and_round})
        deep = []
        for _ in range(100000):
            deep = [deep]
        for name, messages in (
            ("none", []),
            ("no role", [{"content": "a"}]),
            ("a part of no kind", [{"role": "user", "content": [{"type": "smell"}]}]),
            ("a picture without a source", [{"role": "user", "content": [{"type": "image"}]}]),
            ("NaN", [{"role": "user", "content": "a", "weight": float("nan")}]),
            ("itself", round_and_round),
            ("deep", [{"role": "user", "content": "a", "more": deep}]),
            ("a number", [3]),
            ("place of another picture", [{"role": "user", "content": [{"type": "image", "image": "\0" + "7"}]}]),
            ("place of no number", [{"role": "user", "content": [{"type": "image", "image": "\0x"}]}]),
        ):
            with self.subTest(name), self.assertRaises(galago.InputError):
                self.ask(messages)
        for name, messages in (
            ("nothing", None),
            ("one message", {"role": "user", "content": QUESTION}),
            ("an object", [{"role": "user", "content": object()}]),
        ):
            with self.subTest(name), self.assertRaises(TypeError):
                self.ask(messages)

    def test_images(self):
        pixels = numpy.zeros((8, 8, 3), numpy.uint8)
        for images in (str(SHAPES), SHAPES, b"abc", bytearray(b"abc"), memoryview(b"abc"), pixels, pixels[0], 3, None):
            with self.subTest(type(images).__name__), self.assertRaisesRegex(TypeError, "list of pictures"):
                self.ask(QUESTION, images)
        self.assertEqual(self.ask(QUESTION, pixels[None]).tokens, self.ask(QUESTION, [pixels]).tokens)

    def test_options(self):
        for options, kind in (
            ({"max_token": 3}, TypeError),
            ({"max_tokens": 0}, galago.UsageError),
            ({"max_tokens": "3"}, TypeError),
            ({"max_tokens": 1 << 70}, galago.UsageError),
            ({"temperature": float("nan")}, galago.UsageError),
            ({"temperature": "hot"}, TypeError),
            ({"seed": -1}, galago.UsageError),
            ({"stop": 3}, TypeError),
            ({"stop": ["\ud800"]}, galago.InputError),
            ({"logprobs": 21}, galago.UsageError),
            ({"logit_bias": {1: 101}}, galago.UsageError),
            ({"choices": []}, galago.InputError),
            ({"choices": "yes,no"}, TypeError),
            ({"regex": "("}, galago.InputError),
            ({"schema": "{"}, galago.InputError),
            ({"schema": {"type": "object", "not": {}}}, galago.InputError),
            ({"schema": 3}, TypeError),
            ({"schema": {}, "regex": "a"}, galago.UsageError),
            ({"tools": []}, None),
            ({"tools": [{"type": "function"}]}, galago.UsageError),
        ):
            with self.subTest(str(options)):
                if kind is None:
                    self.ask(QUESTION, **options)
                    continue
                with self.assertRaises(kind):
                    self.ask(QUESTION, **options)

    def test_errors_speak_python(self):
        for options, said in (
            ({"seed": -1}, "seed: got -1, expected a whole number of at least 0"),
            ({"max_tokens": 1 << 20000}, "max_tokens: got a number of 20001 bits, expected a smaller number"),
            ({"max_tokens": 0}, "max_tokens: got 0, expected at least 1"),
            ({"min_tokens": 9, "max_tokens": 3}, r"min_tokens: got 9, expected from 0 \(off\) to max_tokens"),
        ):
            with self.subTest(said), self.assertRaisesRegex(galago.UsageError, "^" + said):
                self.ask(QUESTION, **options)
        with self.assertRaisesRegex(TypeError, "messages: got one dict, expected a text or a list"):
            self.ask({"role": "user", "content": QUESTION})
        with self.assertRaisesRegex(TypeError, "model: got str, expected a galago.Model"):
            galago.batch("photos", QUESTION, output="a.jsonl")
        with self.assertRaisesRegex(TypeError, "image: no such option: did you mean images?"):
            self.ask(QUESTION, image=SHAPES)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir("/")
        with self.assertRaisesRegex(galago.NotFoundError, r"demo_model\(\)"):
            galago.Model("models/demo")
        with self.assertRaisesRegex(galago.NotFoundError, r"demo_model\('demo-page'\)"):
            galago.Model("models/demo-page")

    def test_demo_models(self):
        self.assertTrue((galago.demo_model("demo-page") / "config.json").exists())
        with self.assertRaises(galago.UsageError):
            galago.demo_model("../demo")

    def test_one_adapter_is_as_good_as_a_list(self):
        base, adapter = TINY.parent / "text_smollm2", TINY.parents[1] / "adapters" / "smollm2_all"
        said = []
        for lora in ([adapter], adapter, str(adapter), (adapter, 1), [(adapter, 0.5)], (adapter, 0.5)):
            with galago.Model(base, lora=lora) as model:
                said.append(model.chat("Hello", max_tokens=6, logprobs=True).logprobs)
        self.assertEqual(said[:4], [said[0]] * 4)
        self.assertEqual(said[4], said[5])
        self.assertNotEqual(said[0], said[4])

    def test_models(self):
        for options, kind in (
            ({"dtype": "int3"}, galago.UsageError),
            ({"dtype": 3}, TypeError),
            ({"threads": 5000}, galago.UsageError),
            ({"thread": 1}, TypeError),
            ({"lora": ["nowhere"]}, galago.NotFoundError),
            ({"max_sequences": 0}, galago.UsageError),
        ):
            with self.subTest(str(options)), self.assertRaises(kind):
                galago.Model(TINY, **options)
        for path, kind in (("nowhere", FileNotFoundError), ("a\0b", galago.InputError), (3, TypeError), (None, TypeError)):
            with self.subTest(repr(path)), self.assertRaises(kind):
                galago.Model(path)

    def test_tokens(self):
        ids = self.model.tokenize("a b")
        self.assertEqual(self.model.detokenize(ids).strip(), "a b")
        self.assertEqual(self.model.detokenize(numpy.array(ids)).strip(), "a b")
        for ids, kind in (([-1], galago.InputError), ([1 << 40], TypeError), (["a"], TypeError), ("ab", TypeError)):
            with self.subTest(str(ids)), self.assertRaises(kind):
                self.model.detokenize(ids)

    def test_an_error_has_its_parts(self):
        with self.assertRaises(galago.InputError) as caught:
            galago.image(numpy.zeros((3, 4, 4), numpy.uint8))
        error = caught.exception
        self.assertIsInstance(error, ValueError)
        self.assertEqual((error.code, error.where), ("input_invalid", "image"))
        self.assertEqual((error.got, error.expected), ("shape [3, 4, 4]", "[height, width, 3]"))
        self.assertIn("permute", error.hint)
        self.assertEqual(str(error), f"{error.where}: got {error.got}, expected {error.expected} ({error.hint})")

    def test_every_code_has_its_class(self):
        from galago import _core, _errors

        self.assertEqual(set(_core.error_facts()), set(_errors._CLASSES))


if __name__ == "__main__":
    unittest.main()
