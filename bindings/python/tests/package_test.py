"""The package as a whole: what importing it costs and brings, and the program in it."""

import inspect
import pathlib
import re
import signal
import subprocess
import sys
import sysconfig
import unittest

import galago
from support import CAT, QUESTION, ROOT, TINY


def program(*words, **options):
    command = [sys.executable, "-m", "galago", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


class Import(unittest.TestCase):
    def test_what_is_imported(self):
        script = "import sys, galago; print(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        heavy = {"numpy", "torch", "PIL", "pydantic", "tqdm", "asyncio", "pyarrow"}
        self.assertEqual(heavy & set(done.stdout.split()), set())

    def test_version(self):
        wanted = re.search(r"project\(galago VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
        self.assertEqual(galago.__version__, wanted)

    def test_every_public_name_has_a_docstring(self):
        for name in galago.__all__:
            public = getattr(galago, name)
            if isinstance(public, type) or inspect.isfunction(public):
                self.assertTrue(public.__doc__, name)

    def test_no_machine_of_its_own(self):
        """Kernels choose their instruction set when they run."""
        commands = pathlib.Path(sys.prefix).parent / "compile_commands.json"
        if not commands.exists():
            self.skipTest("no build folder around the environment")
        self.assertNotIn("-march=native", commands.read_text())


class Program(unittest.TestCase):
    def test_an_answer(self):
        done = program("run", "-p", QUESTION, "-i", CAT)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "a cat"), done.stderr)

    def test_exit_codes(self):
        self.assertEqual(program("--version").stdout.strip(), f"galago {galago.__version__}")
        self.assertEqual(program("run", "--no-such-flag").returncode, 64)
        self.assertEqual(program("run", "-m", "nowhere", "-p", "a").returncode, 66)

    def test_the_command(self):
        script = pathlib.Path(sysconfig.get_path("scripts"))
        if not (script / "galago").exists():
            self.skipTest("installed without scripts")
        done = subprocess.run([script / "galago", "--version"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0)

    def test_ctrl_c(self):
        words = ["run", "-m", TINY, "-p", QUESTION, "-n", "1900", "--ignore-eos"]
        command = [sys.executable, "-m", "galago", *map(str, words)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            running.stdout.read(1)
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=60)
            self.assertEqual(running.returncode, 130)


if __name__ == "__main__":
    unittest.main()
