"""The package's types, by mypy --strict and pyright, and what a program that uses it sees."""

import pathlib
import subprocess
import sys
import sysconfig
import unittest

import galago

PACKAGE = pathlib.Path(galago.__file__).parent
PROGRAM = pathlib.Path(__file__).with_name("typed_program.py")


def output_of(*words):
    done = subprocess.run([sys.executable, "-m", *map(str, words)], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


class Types(unittest.TestCase):
    def test_mypy(self):
        code, said = output_of("mypy", "--strict", "--no-incremental", "-p", "galago")
        self.assertEqual(code, 0, said)
        code, said = output_of("mypy", "--strict", "--no-incremental", PROGRAM)
        self.assertEqual(code, 0, said)

    def test_pyright(self):
        code, said = output_of("pyright", "--version")
        if code != 0:
            self.skipTest("pyright has no Node.js")
        code, said = output_of("pyright", "--pythonpath", sys.executable, PACKAGE, PROGRAM)
        self.assertEqual(code, 0, said)

    def test_there_is_a_marker(self):
        self.assertTrue((PACKAGE / "py.typed").exists())
        self.assertTrue((PACKAGE / "_core.pyi").exists())
        self.assertTrue(str(PACKAGE).startswith(sysconfig.get_path("platlib")))

    def test_options_are_those_of_the_extension(self):
        from galago import _core, _requests

        options = set(galago.Options.__annotations__)
        known = {"draft", *_requests._OF_REQUEST, *_requests._OF_CONVERSATION, *_requests._FORMS}
        self.assertEqual(options - known, {name for name in vars(_core.GenerateOptions) if name[0] != "_"} - {"set_draft", "set_format"})


if __name__ == "__main__":
    unittest.main()
