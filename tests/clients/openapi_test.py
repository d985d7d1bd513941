"""schemathesis makes requests from /openapi.json, good and bad ones, and looks at the answers."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from client_test_support import KEY, ClientTest, server

SECONDS = 60


class OpenApi(ClientTest):
    def test_answers_are_as_the_document_says(self):
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.txt"
            command = [
                os.path.join(os.path.dirname(sys.executable), "schemathesis"),
                "run",
                server().address + "/openapi.json",
                *("--header", "Authorization: Bearer " + KEY),
                *("--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"),
                *("--max-examples", "12"),
                *("--phases", "examples,coverage,fuzzing"),
                *("--seed", "1"),
                *("--request-timeout", "20"),
                "--generation-deterministic",
                "--no-color",
            ]
            with report.open("w") as out:
                done = subprocess.run(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT, timeout=SECONDS * 3)
            self.assertEqual(done.returncode, 0, report.read_text()[-6000:])
        statuses = [status for _, status in self.requests()]
        self.assertGreater(len(statuses), 100)
        self.assertFalse([s for s in statuses if s >= 500])


if __name__ == "__main__":
    unittest.main()
