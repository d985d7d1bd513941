"""The Python of docs/server-clients.md, as it stands but for address and key."""

import os
import re
import subprocess
import sys
import unittest

from client_test_support import KEY, ROOT, ClientTest, server


class Documentation(ClientTest):
    def test_programs_run(self):
        page = (ROOT / "docs" / "server-clients.md").read_text()
        programs = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        self.assertGreater(len(programs), 5)
        for program in programs:
            program = program.replace("http://127.0.0.1:8080", server().address).replace('"none"', repr(KEY))
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100
            )
            self.assertEqual(done.returncode, 0, program + done.stderr[-2000:])
            self.assertTrue(done.stdout.strip(), program)


if __name__ == "__main__":
    unittest.main()
