# tools/check_includes.py against made-up files: each offence is found with its line, and honest files pass.

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_includes

GOOD = """// A comment may say std::cout or exit(1).
#include <jpeglib.h>
#include <vector>

#include "core/tensor.h"
#include "galago/error.h"
#include "image/image.h"
#include "kernels/kernels.h"
const char* text = "printf(";
int f() { return exit_code(1) + g.exit(2); }
"""


class CheckIncludes(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return check_includes.check(root)

    def only(self, name, text):
        lines = self.check({name: text})
        self.assertEqual(len(lines), 1, lines)
        return lines[0]

    def test_honest_files_pass(self):
        self.assertEqual(self.check({"src/image/good.cc": GOOD}), [])

    def test_every_offence_of_a_bad_file_has_its_line(self):
        bad = '#include "nn/decoder/llama.h"\n#include <png.h>\n/* a\nb */\nvoid f() { std::cerr << 1; }\n'
        lines = self.check({"src/nn/vision/bad.cc": bad})
        self.assertEqual([line.split(": ")[0] for line in lines], [f"src/nn/vision/bad.cc:{n}" for n in (1, 2, 5)])

    def test_rooms_include_one_way(self):
        self.assertIn("text must not include", self.only("src/text/a.h", '#include "image/image.h"\n'))
        self.assertIn("vision must not include", self.only("src/nn/vision/a.h", '#include "nn/decoder/llama.h"\n'))
        self.assertIn("tokenizer must not include", self.only("src/text/tokenizer/a.h", '#include "text/jinja/ast.h"\n'))
        self.assertIn("models must not include", self.only("src/models/a.h", '#include "runtime/model.h"\n'))
        self.assertIn("io must not include", self.only("src/io/a.h", '#include "text/tokenizer/tokenizer.h"\n'))
        self.assertIn("core must not include", self.only("src/core/a.h", '#include "formats/json.h"\n'))
        self.assertEqual(self.check({"src/models/a.h": '#include "image/image.h"\n#include "text/tokenizer/bpe.h"\n'}), [])

    def test_only_the_seam_of_the_kernels_is_seen(self):
        self.assertIn("kernels/cpu", self.only("src/nn/decoder/a.cc", '#include "kernels/cpu/cpu.h"\n'))
        self.assertIn("kernels/cpu", self.only("src/models/a.cc", '#include "kernels/cpu/cpu.h"\n'))

    def test_nothing_includes_the_applications(self):
        self.assertIn("apps", self.only("src/models/a.cc", '#include "apps/cli/main.h"\n'))

    def test_third_party_headers_stay_at_home(self):
        self.assertIn("formats, hub, messages, server/api only", self.only("src/text/a.cc", "#include <nlohmann/json.hpp>\n"))
        self.assertIn("kernels only", self.only("src/nn/decoder/a.cc", "#include <hwy/highway.h>\n"))
        self.assertIn("image only", self.only("include/galago/a.h", "#include <png.h>\n"))
        self.assertIn("apps and tests only", self.only("src/core/a.cc", "#include <gtest/gtest.h>\n"))

    def test_headers_of_the_system_stay_where_another_replaces_them(self):
        for name in ("src/models/a.cc", "src/core/tensor.cc", "src/kernels/cpu/gemv.cc", "include/galago/a.h"):
            self.assertIn("is the system's", self.only(name, "#include <unistd.h>\n"))
        for name in ("src/io/a.cc", "src/core/aligned_memory.cc", "src/kernels/pool.cc", "src/kernels/cpu/instructions.cc"):
            self.assertEqual(self.check({name: "#include <sys/mman.h>\n#include <cstdlib>\n"}), [])

    def test_public_headers_include_public_headers(self):
        self.assertIn("public headers", self.only("include/galago/a.h", '#include "core/tensor.h"\n'))

    def test_the_library_is_silent_and_does_not_end_the_process(self):
        calls = ["std::cout << 1", 'printf("x")', "std::abort()", "exit(1)", "std::exit (1)", 'fprintf(f, "")']
        for call in calls:
            self.assertIn("never prints", self.only("src/core/a.cc", f"void f() {{ {call}; }}\n"))
        self.assertEqual(self.check({"src/core/a.cc": "int n = snprintf(b, 2, f);\n"}), [])

    def test_unknown_folders_are_offences(self):
        self.assertIn("not a known room", self.only("src/extra/a.cc", "\n"))

    def test_an_empty_tree_is_an_offence(self):
        self.assertEqual(len(self.check({})), 1)


if __name__ == "__main__":
    unittest.main()
