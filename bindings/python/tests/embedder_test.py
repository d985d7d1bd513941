"""Vectors: the numbers of the command line, in the memory where they were computed."""

import json
import subprocess
import unittest

import galago
import numpy
from support import MODELS, PROGRAM, SHAPES

SIGLIP = MODELS / "siglip"


class Vectors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = galago.Embedder(SIGLIP)

    def test_pictures_and_texts(self):
        pictures = self.model.embed_images([SHAPES, galago.image(SHAPES)])
        texts = self.model.embed_texts(["a cat", "a dog", "\u00e4"])
        self.assertEqual((pictures.shape, texts.shape), ((2, self.model.dimension), (3, self.model.dimension)))
        self.assertEqual((pictures.dtype, texts.dtype), (numpy.float32, numpy.float32))
        self.assertTrue(numpy.array_equal(pictures[0], pictures[1]))
        words = [PROGRAM, "embed", "--json", "-m", str(SIGLIP), "-i", str(SHAPES)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        wanted = json.loads(done.stdout.splitlines()[0])
        self.assertEqual(pictures[0].tolist(), wanted["images"][0]["embedding"])

    def test_normalized(self):
        vectors = self.model.embed_images([SHAPES], normalize=True)
        self.assertAlmostEqual(float(numpy.linalg.norm(vectors)), 1, places=5)

    def test_no_copy(self):
        vectors = self.model.embed_texts(["a"] * 3)
        self.assertFalse(vectors.flags.owndata)
        self.assertTrue(vectors.flags.writeable)
        self.assertTrue(vectors.flags.c_contiguous)
        again = numpy.asarray(vectors)
        self.assertEqual(again.ctypes.data, vectors.ctypes.data)
        kept = vectors[1:].copy()
        rest = vectors[1:]
        del vectors, again
        self.assertTrue(numpy.array_equal(rest, kept))

    def test_none(self):
        self.assertEqual(self.model.embed_images([]).shape, (0, self.model.dimension))

    def test_scores(self):
        labels = ["cat", "dog", "shapes"]
        scores = self.model.classify([SHAPES, SHAPES], labels)
        self.assertEqual(scores.logits.shape, (2, 3))
        pictures = self.model.embed_images([SHAPES], normalize=True)
        texts = self.model.embed_texts([f"This is a photo of {label}." for label in labels], normalize=True)
        logits = pictures @ texts.T * self.model.logit_scale + self.model.logit_bias
        self.assertTrue(numpy.allclose(scores.logits[0], logits, atol=1e-4))
        self.assertTrue(numpy.allclose(scores.probabilities, 1 / (1 + numpy.exp(-scores.logits)), atol=1e-6))
        self.assertEqual(scores.best(), [labels[int(logits.argmax())]] * 2)

    def test_refused(self):
        for use, kind in (
            (lambda: self.model.embed_texts("a"), TypeError),
            (lambda: self.model.embed_images(str(SHAPES)), TypeError),
            (lambda: self.model.classify(SHAPES, ["a"]), TypeError),
            (lambda: self.model.embed_texts(["\ud800"]), galago.InputError),
            (lambda: self.model.embed_images(["nowhere"]), galago.NotFoundError),
            (lambda: self.model.classify([SHAPES], []), galago.UsageError),
            (lambda: self.model.classify([SHAPES], ["a"], template="a photo"), galago.UsageError),
            (lambda: galago.Embedder(MODELS / "smolvlm_tiles"), galago.UnsupportedError),
            (lambda: galago.Embedder(SIGLIP, max_sequences=3), TypeError),
        ):
            with self.assertRaises(kind):
                use()


if __name__ == "__main__":
    unittest.main()
