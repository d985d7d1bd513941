#!/usr/bin/env python3
# Lets a language model fill schemas, by themselves or held to the schema, and judges the answers by the jsonschema
# package. In: the program, a model that answers texts. Out: counts; exit 1 when an answer that was held to its schema
# does not validate.
# Usage: python3 tools/oracle/schema_fill.py PROGRAM MODEL [--schemas 200] [--free]

import argparse
import json
import random
import subprocess
import sys

from schema_pairs import judged

THINGS = (
    "Anna, a 34 year old doctor from Berlin", "Tom Miller, 52, teacher in Oslo", "a red car that costs 12000 euros",
    "a blue bicycle, 3 years old, 21 gears", "Paris, capital of France, 2.1 million people",
    "the book 'Dune' by Frank Herbert, 1965", "a cat named Tom who likes fish and milk",
    "an order of 3 pizzas and 2 colas for 41.50 dollars",
)
FIELDS = (
    ("name", {"type": "string", "maxLength": 40}),
    ("age", {"type": "integer", "minimum": 0, "maximum": 120}),
    ("price", {"type": "number", "minimum": 0, "maximum": 100000}),
    ("color", {"enum": ["red", "green", "blue", "other"]}),
    ("tags", {"type": "array", "items": {"type": "string", "maxLength": 15}, "minItems": 1, "maxItems": 4}),
    ("date", {"type": "string", "format": "date"}),
    ("known", {"type": "boolean"}),
    ("kind", {"enum": ["person", "thing", "place", "animal"]}),
    ("size", {"type": "object", "properties": {"width": {"type": "integer", "minimum": 0, "maximum": 999},
                                               "unit": {"enum": ["cm", "m"]}}, "required": ["width", "unit"]}),
    ("note", {"anyOf": [{"type": "string", "maxLength": 30}, {"type": "null"}]}),
    ("year", {"type": "integer", "minimum": 1000, "maximum": 2100}),
    ("code", {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"}),
)


def questions(count):
    """(schema, question), the same ones on every run."""
    chance = random.Random(7)
    for _ in range(count):
        fields = dict(chance.choice(FIELDS) for _ in range(chance.randint(2, 5)))
        schema = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
        yield schema, (f"Describe {chance.choice(THINGS)} as JSON with the fields {', '.join(fields)}. The JSON schema is: "
                       f"{json.dumps(schema)}. Answer with the JSON only.")


def main():
    parser = argparse.ArgumentParser(description="Lets a language model fill schemas, and judges the answers.")
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--schemas", type=int, default=200)
    parser.add_argument("--free", action="store_true", help="without --json-schema, at most 120 tokens instead of 250")
    arguments = parser.parse_args()
    valid = ended = 0
    for number, (schema, question) in enumerate(questions(arguments.schemas), 1):
        command = [arguments.program, "run", "-m", arguments.model, "-p", question, "--json"]
        command += ["-n", "120"] if arguments.free else ["-n", "250", "--json-schema", json.dumps(schema)]
        answer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        fault = judged(schema, answer["text"])
        valid += fault is None
        ended += answer["finish_reason"] == "stop"
        if fault and not arguments.free:
            print(f"not valid: {answer['text']}\n  {fault}")
        if number % 20 == 0 or number == arguments.schemas:
            print(f"{number} schemas: {valid} valid, {ended} ended by themselves", flush=True)
    return 0 if arguments.free or valid == arguments.schemas else 1


if __name__ == "__main__":
    sys.exit(main())
