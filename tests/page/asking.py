"""Asking the demo model: pictures in, answers, grids and figures out."""

import ast
import json
import shutil
import subprocess
import unittest

import browser as stand
from playwright.sync_api import expect

DIALOG = "dialog[open]"


class AskTest(unittest.TestCase):
    def test_question_about_the_sample(self):
        with stand.opened() as page:
            expect(page.get_by_role("heading", name="Ask about a picture")).to_be_visible()
            page.get_by_role("button", name="What shape is blue?").click()
            chosen = page.locator("#chosen li")
            expect(chosen.locator(".about")).to_contain_text("2 × 2 tiles and the whole, 80 tokens")
            expect(chosen.locator("svg.grid rect.tile")).to_have_count(4)
            expect(page.locator("#cost")).to_contain_text("tokens")
            page.locator("#send").click()
            self.assertEqual(stand.answered(page), "square")
            grid = page.locator(".question svg.grid")
            expect(grid.locator("rect.tile")).to_have_count(4)
            self.assertNotIn("reading", grid.get_attribute("class"))
            expect(page.locator(".stages tr[data-stage=vision_ms] .amount")).to_contain_text("ms")
            expect(page.locator(".stages tr[data-stage=decode_ms]")).to_be_visible()
            expect(page.locator(".facts")).to_contain_text("80 of pictures")
            expect(page.locator("#status")).to_have_text("Answer: square")
            expect(page.locator("#question")).to_be_focused()

            # The same picture again, in the same conversation: nothing of it is encoded.
            stand.ask(page, "What colour is the triangle?")
            self.assertEqual(stand.answered(page, 2), "green")
            cached = page.locator(".facts").nth(1).locator("div", has_text="From the cache").locator("dd").first.inner_text()
            self.assertGreater(int(cached.replace(",", "")), 80)

    def test_two_pictures_in_a_question(self):
        with stand.opened() as page:
            stand.add_pictures(page, "cat.jpg", "fruit.jpg")
            expect(page.locator("#chosen li")).to_have_count(2)
            expect(page.locator("#cost")).to_contain_text("tokens")
            page.get_by_role("button", name="Remove cat.jpg").click()
            expect(page.locator("#chosen li")).to_have_count(1)
            stand.add_pictures(page, "cat.jpg")
            stand.ask(page, "Is there a dog?")
            self.assertTrue(stand.answered(page))
            expect(page.locator(".question svg.grid")).to_have_count(2)
            expect(page.locator(".facts")).to_contain_text("160 of pictures")
            page.get_by_role("button", name="cat.jpg, larger").click()
            expect(page.locator(f"{DIALOG} svg.grid")).to_be_visible()
            expect(page.locator("#viewer-facts")).to_contain_text("pixels")
            page.keyboard.press("Escape")

    def test_what_is_no_picture_is_named(self):
        with stand.opened() as page:
            page.locator("#files").set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"x"})
            expect(page.locator("#notice")).to_contain_text("No picture: notes.txt")

    def test_broken_picture_is_refused_plainly(self):
        with stand.opened() as page:
            page.locator("#files").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n"})
            expect(page.locator("#chosen .unseen")).to_contain_text("a.png")
            stand.ask(page, "What is it?")
            problem = page.locator(".answer [role=alert]")
            expect(problem).to_contain_text("The server cannot do this")
            expect(problem.locator("button")).to_have_count(0)

    def test_drop_and_paste(self):
        give = """async ([event, holder, name]) => {
          const blob = await (await fetch('/page/shapes.png')).blob();
          const data = new DataTransfer();
          data.items.add(new File([blob], name, {type: 'image/png'}));
          const options = {bubbles: true, cancelable: true, [holder]: data};
          document.body.dispatchEvent(event === 'paste' ? new ClipboardEvent(event, options) : new DragEvent(event, options));
        }"""
        with stand.opened() as page:
            page.evaluate(give, ["paste", "clipboardData", "pasted.png"])
            expect(page.locator("#chosen li")).to_contain_text(["pasted.png"])
            page.evaluate(give, ["dragenter", "dataTransfer", "x.png"])
            expect(page.locator("#drop")).to_be_visible()
            page.evaluate(give, ["drop", "dataTransfer", "dropped.png"])
            expect(page.locator("#drop")).to_be_hidden()
            expect(page.locator("#chosen li")).to_contain_text(["pasted.png", "dropped.png"])

    def test_camera(self):
        with stand.opened( permissions=["camera"]) as page:
            page.locator("#camera").click()
            expect(page.locator("#shutter")).to_be_enabled()
            page.locator("#shutter").click()
            expect(page.locator("#chosen .name")).to_contain_text("camera-")
            expect(page.locator(DIALOG)).to_have_count(0)
            self.assertTrue(page.evaluate("document.getElementById('viewfinder').srcObject === null"))

    def test_settings_reach_the_server(self):
        with stand.opened() as page:
            page.locator("#open-settings").click()
            form = page.locator("#settings-form")
            form.locator("[name=system]").fill("Be short.")
            for name, value in {"temperature": "0.5", "topP": "0.9", "maxTokens": "7", "seed": "3"}.items():
                form.locator(f"[name={name}]").fill(value)
            form.get_by_role("radio", name="One tile").check()
            form.locator("[name=schema]").fill("{")
            form.get_by_role("button", name="Done").click()
            expect(form.locator("[name=schema]")).to_be_focused()
            expect(form.locator("[role=alert]")).to_contain_text("This is not JSON")
            form.locator("[name=schema]").fill('{"enum": ["square", "circle"]}')
            form.get_by_role("button", name="Done").click()
            expect(page.locator(DIALOG)).to_have_count(0)
            page.get_by_role("button", name="What shape is blue?").click()
            expect(page.locator("#chosen .about")).to_contain_text("one tile")
            with page.expect_request("**/v1/chat/completions") as sent:
                page.locator("#send").click()
            body = sent.value.post_data_json
            self.assertIn(stand.answered(page), ('"square"', '"circle"'))
            self.assertEqual([body[name] for name in ("temperature", "top_p", "max_tokens", "seed")], [0.5, 0.9, 7, 3])
            self.assertEqual(body["messages"][0], {"role": "system", "content": "Be short."})
            parts = body["messages"][1]["content"]
            self.assertEqual([part["type"] for part in parts], ["image_url", "text"])
            self.assertEqual(parts[0]["image_url"]["detail"], "low")
            page.reload()
            page.locator("#open-settings").click()
            expect(form.locator("[name=maxTokens]")).to_have_value("7")

    def test_same_from_a_program(self):
        with stand.opened() as page:
            page.get_by_role("button", name="What shape is blue?").click()
            expect(page.locator("#chosen .about")).to_contain_text("tokens")
            page.locator("#question").fill("What shape is blue? `$HOME` \"quoted\" \\ 'é")
            page.locator("#send").click()
            stand.answered(page)
            stand.ask(page, "What shape is blue?")
            stand.answered(page, 2)
            page.get_by_role("button", name="Copy as curl or Python").last.click()
            curl = page.locator("#snippet").inner_text()
            page.locator(DIALOG).get_by_role("radio", name="Python").check()
            python = page.locator("#snippet").inner_text()
        ast.parse(python)
        self.assertIn("`$HOME` \\\"quoted\\\" \\\\ 'é", python)
        self.assertIn('picture("shapes.png", "image/png")', python)
        if shutil.which("curl"):
            ran = subprocess.run(["sh", "-c", curl], cwd=stand.PICTURES, capture_output=True, text=True, timeout=60, check=True)
            self.assertIn("data: [DONE]", ran.stdout, ran.stderr)
            self.assertIn("square", "".join(json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
                                            for line in ran.stdout.splitlines() if line.startswith("data: {")))
