#!/usr/bin/env python3
# Judges structured answers by the jsonschema package: answers of a model that picks any allowed token to random schemas,
# and the JSON Schema Test Suite (the folder json/ of jsonschema's source distribution).
# In: the program schema_driver (ninja schema_driver), a model's directory. Out: counts; exit 1 when an answer that ended
# does not validate, or when an instance that is not valid was allowed.
# Usage: python3 tools/oracle/schema_pairs.py random DRIVER MODEL [--schemas N] [--answers N] [--seed S]
#        python3 tools/oracle/schema_pairs.py suite DRIVER MODEL SUITE_FOLDER [--draft draft7]

import argparse
import collections
import json
import pathlib
import random
import subprocess
import sys

import jsonschema
import jsonschema.validators


class Driver:
    """Asks and answers line by line."""

    def __init__(self, program, model):
        self.process = subprocess.Popen([program, model], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, **task):
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the driver ended at {json.dumps(task)}")
        return json.loads(line)


def written(value):
    """As answers are: on one line, with ", " and ": "."""
    return json.dumps(value, ensure_ascii=False)


class Schemas:
    """Random schemas of what docs/structured-answers.md promises."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self):
        schema = self.schema(0)
        if isinstance(schema, dict) and self.random.random() < 0.2:
            schema = {"type": "array", "items": {"$ref": "#/$defs/it"}, "maxItems": 4, "$defs": {"it": schema}}
        return schema

    def name(self):
        return self.random.choice(["a", "b", "ab", "name", "x y", 'q"', "é", "back\\slash", "", "n", "value", "/", "~"])

    def literal(self):
        return self.random.choice(
            [None, True, 0, -3, 1.5, "", "a", 'quote "', "line\nbreak", "é🙂", [1, "x"], {"k": None, "m": [2]}, {}, []]
        )

    def schema(self, depth):
        kinds = ["string", "integer", "number", "boolean", "null", "enum", "const", "types", "pattern", "format"]
        if depth < 3:
            kinds += ["object"] * 5 + ["array"] * 3 + ["anyOf", "allOf", "oneOf", "any", "tuple"]
        return getattr(self, self.random.choice(kinds) + "_")(depth)

    def limits(self, low, high, most):
        out = {}
        least = self.random.randint(0, most)
        if self.random.random() < 0.5:
            out[low] = least
        if self.random.random() < 0.6:
            out[high] = least + self.random.randint(0, most)
        return out

    def string_(self, _):
        return {"type": "string", **self.limits("minLength", "maxLength", 6)}

    def pattern_(self, _):
        patterns = ["^[a-z]+$", "[0-9]{2,3}", "^a.c", "x|y$", r"^\S+ \w{1,9}$", r'^"[^"]*"$', r"\\", "^(ab|cd)*e?$", "é+", r"^[^a]$"]
        return {"type": "string", "pattern": self.random.choice(patterns)}

    def format_(self, _):
        return {"type": "string", "format": self.random.choice(["date", "time", "date-time", "uuid", "ipv4", "email", "uri"])}

    def numbers(self, scale):
        out = {}
        low = self.random.randint(-3 * scale, 3 * scale) / self.random.choice([1, 1, 4, 10])
        if self.random.random() < 0.6:
            out[self.random.choice(["minimum", "exclusiveMinimum"])] = low
        if self.random.random() < 0.6:
            out[self.random.choice(["maximum", "exclusiveMaximum"])] = round(low + self.random.choice([0.5, 1, 2, 17, 999.25]), 2)
        return out

    def integer_(self, _):
        return {"type": "integer", **self.numbers(self.random.choice([1, 10, 1000]))}

    def number_(self, _):
        return {"type": "number", **self.numbers(self.random.choice([1, 10, 1000]))}

    def boolean_(self, _):
        return {"type": "boolean"}

    def null_(self, _):
        return {"type": "null"}

    def any_(self, _):
        return self.random.choice([True, {}, {"description": "anything"}])

    def enum_(self, _):
        return {"enum": [self.literal() for _ in range(self.random.randint(1, 5))]}

    def const_(self, _):
        return {"const": self.literal()}

    def types_(self, _):
        return {"type": self.random.sample(["string", "integer", "boolean", "null", "number"], 2), "maxLength": 3, "maximum": 20}

    def object_(self, depth):
        names = {self.name() for _ in range(self.random.randint(0, 5))}
        out = {"type": "object", "properties": {name: self.schema(depth + 1) for name in names}}
        if self.random.random() < 0.7:
            out["required"] = [name for name in names if self.random.random() < 0.5]
        if self.random.random() < 0.3:
            out["additionalProperties"] = self.random.choice([False, True, {"type": "integer"}, self.schema(depth + 1)])
        if self.random.random() < 0.1:
            out["required"] = out.get("required", []) + ["further"]
        if self.random.random() < 0.2:
            out["minProperties"] = 1
        if self.random.random() < 0.2:
            out["maxProperties"] = len(names) + 2
        return out

    def array_(self, depth):
        out = {"type": "array", **self.limits("minItems", "maxItems", 3)}
        if self.random.random() < 0.8:
            out["items"] = self.schema(depth + 1)
        return out

    def tuple_(self, depth):
        out = {"type": "array", "prefixItems": [self.schema(depth + 1) for _ in range(self.random.randint(1, 3))]}
        if self.random.random() < 0.5:
            out["items"] = self.random.choice([False, self.schema(depth + 1)])
        return {**out, **self.limits("minItems", "maxItems", 3)}

    def anyOf_(self, depth):
        out = {"anyOf": [self.schema(depth + 1) for _ in range(self.random.randint(1, 3))]}
        if self.random.random() < 0.3:
            out["type"] = self.random.choice(["string", "object", "integer", ["array", "null"]])
        return out

    def allOf_(self, depth):
        return {"allOf": [self.object_(depth + 1), self.object_(depth + 1)]}

    def oneOf_(self, depth):
        return {"oneOf": [{"type": "boolean"}, self.string_(depth), self.array_(depth + 1)][: self.random.randint(1, 3)]}


def judged(schema, text):
    """What is wrong with an answer, or None."""
    try:
        jsonschema.validate(json.loads(text), schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    except (ValueError, jsonschema.ValidationError) as error:
        return str(error).splitlines()[0]
    return None


def random_pairs(arguments, driver):
    schemas = Schemas(arguments.seed)
    counts = collections.Counter()
    refusals = collections.Counter()
    slowest = 0
    for number in range(arguments.schemas):
        schema = schemas.one()
        result = driver(kind="json_schema", definition=json.dumps(schema), random=arguments.answers, seed=number, most=600)
        if "error" in result:
            counts["refused"] += 1
            refusals[result["error"].partition("got ")[2][:60]] += 1
            continue
        slowest = max(slowest, result["compile_ms"])
        counts["schemas"] += 1
        for answer in result["answers"]:
            if not answer["ended"]:
                counts["did not end"] += 1
                continue
            counts["answers"] += 1
            fault = judged(schema, answer["text"])
            if fault:
                counts["invalid"] += 1
                print(f"invalid: {json.dumps(schema)}\n  {answer['text']}\n  {fault}")
    print(dict(counts), f"slowest compile {slowest:.1f} ms")
    for text, count in refusals.most_common(12):
        print(f"  {count} refused: {text}")
    return counts["invalid"]


def suite(arguments, driver):
    """The tests of a draft, by file: schemas refused, valid instances allowed and not, others allowed."""
    wrong = 0
    print("| file | schemas | refused | valid, allowed | valid, not allowed | not valid, refused | not valid, allowed |")
    print("|---|---|---|---|---|---|---|")
    total = [0] * 6
    for path in sorted(pathlib.Path(arguments.suite, "tests", arguments.draft).glob("*.json")):
        row = [0] * 6
        for group in json.loads(path.read_text()):
            row[0] += 1
            texts = [written(test["data"]) for test in group["tests"]]
            result = driver(kind="json_schema", definition=json.dumps(group["schema"]), judge=texts)
            if "error" in result:
                row[1] += 1
                if arguments.verbose:
                    print(path.stem, group["description"], result["error"])
                continue
            for test, allowed in zip(group["tests"], result.get("verdicts", [])):
                row[(2 if allowed else 3) if test["valid"] else (5 if allowed else 4)] += 1
                if allowed and not test["valid"]:
                    wrong += 1
                    print(f"allowed: {path.name}: {group['description']}: {test['description']}")
                elif arguments.verbose and allowed != test["valid"]:
                    print(f"not allowed: {path.name}: {group['description']}: {test['description']}")
        print(f"| {path.stem} | " + " | ".join(map(str, row)) + " |")
        total = [a + b for a, b in zip(total, row)]
    print("| all | " + " | ".join(map(str, total)) + " |")
    return wrong


def main():
    parser = argparse.ArgumentParser(description="Judges structured answers by the jsonschema package.")
    parser.add_argument("mode", choices=["random", "suite"])
    parser.add_argument("driver")
    parser.add_argument("model")
    parser.add_argument("suite", nargs="?", help="the folder json/ of jsonschema's source distribution")
    parser.add_argument("--schemas", type=int, default=1000)
    parser.add_argument("--answers", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draft", default="draft2020-12", help="folder of the suite")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    driver = Driver(arguments.driver, arguments.model)
    return 1 if (random_pairs if arguments.mode == "random" else suite)(arguments, driver) else 0


if __name__ == "__main__":
    sys.exit(main())
