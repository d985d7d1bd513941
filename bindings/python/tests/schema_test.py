"""Answers of a given form, as objects."""

import enum
import unittest
from typing import Literal

import galago
import pydantic
from support import CAT, DEMO, QUESTION


class Kind(enum.Enum):
    cat = "cat"
    dog = "dog"


class Animal(pydantic.BaseModel):
    kind: Kind
    legs: Literal[2, 4]
    colours: list[Literal["black", "white"]] = pydantic.Field(max_length=2)


class Never(pydantic.BaseModel):
    kind: Kind

    @pydantic.field_validator("kind")
    @classmethod
    def refuse(cls, value):
        raise ValueError("never")


class Forms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = galago.Model(DEMO)

    def ask(self, **options):
        return self.model.chat(QUESTION, [CAT], **options)

    def setUp(self):
        try:
            self.ask(regex="a", max_tokens=2)
        except galago.UsageError as error:
            self.skipTest(f"built without xgrammar: {error}")

    def test_pydantic(self):
        answer = self.ask(schema=Animal)
        self.assertIsInstance(answer.parsed, Animal)
        self.assertEqual(Animal.model_validate_json(answer.text), answer.parsed)

    def test_adapter(self):
        answer = self.ask(schema=pydantic.TypeAdapter(list[Animal]), max_tokens=100)
        self.assertIsInstance(answer.parsed[0], Animal) if answer.parsed else self.assertIn("[", answer.text)

    def test_dict_and_text(self):
        schema = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"]}
        self.assertIn(self.ask(schema=schema).parsed["n"], (1, 2))
        self.assertIn(self.ask(schema='{"enum": ["x", "y"]}').parsed, ("x", "y"))

    def test_other_forms(self):
        self.assertRegex(self.ask(regex=r"[A-Z]{2}-\d{4}").text, r"\A[A-Z]{2}-\d{4}\Z")
        self.assertIn(self.ask(choices=["a cat", "a dog"]).text, ("a cat", "a dog"))
        self.assertIn(self.ask(grammar='root ::= "yes" | "no"').text, ("yes", "no"))

    def test_an_answer_that_was_cut_is_not_parsed(self):
        answer = self.ask(schema=Animal, max_tokens=3)
        self.assertEqual((answer.finish_reason, answer.parsed), ("length", None))

    def test_what_a_validator_refuses(self):
        with self.assertRaises(pydantic.ValidationError):
            self.ask(schema=Never)

    def test_beside_others(self):
        requests = [{"prompt": QUESTION, "images": [CAT], "schema": schema} for schema in (Animal, Never)]
        good, bad = self.model.generate(requests, return_exceptions=True)
        self.assertIsInstance(good.parsed, Animal)
        self.assertIsInstance(bad, pydantic.ValidationError)

    def test_in_a_stream(self):
        stream = self.ask(schema=Animal, stream=True)
        text = "".join(map(str, stream))
        self.assertEqual(Animal.model_validate_json(text), stream.answer.parsed)


if __name__ == "__main__":
    unittest.main()
