"""The page of galago serve in a real browser: asks the demo model, reads what is shown, and tries to break it.

Usage: page_test.py PROGRAM [-k NAME] [-v]. Needs Chromium and playwright; without them it says so and exits 77.
"""

import pathlib
import sys
import unittest

import browser as stand

MODULES = ("asking", "streaming", "keeping", "safety", "reach")


def main():
    chromium = stand.require_browser()
    program = pathlib.Path(sys.argv.pop(1)).resolve()
    with stand.standing(program, chromium):
        suite = type("AllTests", (), {"__name__": "page"})
        for name in MODULES:
            for case in vars(__import__(name)).values():
                if isinstance(case, type) and issubclass(case, unittest.TestCase):
                    setattr(suite, case.__name__, case)
        result = unittest.main(module=suite, exit=False).result
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
