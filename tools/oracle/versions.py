# Which versions of the reference a golden is made with: the arguments that name them, and the check that they are
# the ones which run. In: names of packages. Out: {package: version} for the golden's header.

import argparse
import importlib
import importlib.metadata

DEFAULTS = {
    "torch": "2.13.0",
    "transformers": "5.18.0",
    "tokenizers": "0.23.3",
    "pillow": "13.0.0",
}
expected = dict(DEFAULTS)


class _Expect(argparse.Action):
    def __call__(self, parser, namespace, value, option=None):
        expected[self.dest] = value


def add_arguments(parser, *packages):
    """--PACKAGE VERSION for each; of a script that runs a model when none is named."""
    for package in packages or ("torch", "transformers", "pillow"):
        text = f"version that must run (default: {DEFAULTS[package]})"
        parser.add_argument(f"--{package}", action=_Expect, metavar="VERSION", help=text)


def running(package):
    """The version that is imported, without what marks a build; metadata may be those of another copy."""
    module = importlib.import_module("PIL" if package == "pillow" else package)
    return (getattr(module, "__version__", None) or importlib.metadata.version(package)).split("+")[0]


def check(*packages):
    """{package: version} as expected; ends the program where another one runs."""
    wanted = {package: expected[package] for package in packages}
    found = {package: running(package) for package in packages}
    if found != wanted:
        raise SystemExit(f"goldens are to be made with {wanted}, found {found}: install these, or name the others")
    return wanted


def folder_for(folder):
    """Where goldens of pixels lie: those of another Pillow than the default in a folder of its own."""
    major, default = (version.split(".")[0] for version in (expected["pillow"], DEFAULTS["pillow"]))
    return folder if major == default else folder / f"pillow{major}"
