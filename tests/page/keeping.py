"""What the browser keeps and forgets: conversations, pictures, the key."""

import json
import pathlib
import unittest

import browser as stand
from playwright.sync_api import expect

DIALOG = "dialog[open]"


class HistoryTest(unittest.TestCase):
    def test_reload_keeps_and_deletion_removes(self):
        with stand.opened() as page:
            page.get_by_role("button", name="What shape is blue?").click()
            page.locator("#send").click()
            stand.answered(page)
            stand.reloaded(page)
            expect(page.locator(".answer .text")).to_have_text("square")
            expect(page.locator(".question svg.grid rect.tile")).to_have_count(4)
            self.assertGreater(page.locator(".question img").evaluate("image => image.naturalWidth"), 0)
            expect(page.locator(".stages")).to_be_visible()

            page.get_by_role("button", name="New conversation").click()
            stand.ask(page, "Is there a dog?")
            stand.answered(page)
            names = page.locator("#conversations .open")
            expect(names).to_have_text(["Is there a dog?", "What shape is blue?"])
            page.go_back()
            expect(page.locator(".question .asked")).to_have_text("What shape is blue?")

            page.get_by_role("button", name="Rename, export or delete: What shape is blue?").click()
            page.locator("#conversation-form [name=name]").fill("Shapes")
            page.locator("#conversation-form").get_by_role("button", name="Done").click()
            expect(names).to_contain_text(["Shapes"])
            expect(page.locator("#title")).to_have_text("Shapes")
            before = stand.kept(page)
            self.assertEqual((len(before["conversations"]), len(before["pictures"])), (2, 1))

            page.get_by_role("button", name="Rename, export or delete: Shapes").click()
            with page.expect_download() as saved:
                page.get_by_role("button", name="Export with pictures").click()
            exported = json.loads(pathlib.Path(saved.value.path()).read_text(encoding="utf-8"))
            self.assertEqual(saved.value.suggested_filename, "Shapes.json")
            self.assertTrue(next(iter(exported["pictures"].values()))["data"].startswith("data:image/png;base64,iVBOR"))
            with page.expect_download() as saved:
                page.get_by_role("button", name="Export the text").click()
            self.assertEqual(pathlib.Path(saved.value.path()).read_text(encoding="utf-8"),
                             "# Shapes\n\n> [picture: shapes.png]\n> What shape is blue?\n\nsquare\n")
            page.locator("#delete").click()
            page.locator("#delete").click()
            expect(names).to_have_count(1)
            expect(page.locator("#empty")).to_be_visible()
            after = stand.kept(page)
            self.assertEqual((len(after["conversations"]), after["pictures"]), (1, []))

    def test_change_and_ask_again(self):
        with stand.opened() as page:
            page.get_by_role("button", name="What shape is blue?").click()
            page.locator("#send").click()
            stand.answered(page)
            page.get_by_role("button", name="Answer again").click()
            self.assertEqual(stand.answered(page), "square")
            page.get_by_role("button", name="Change the question").click()
            expect(page.locator("#question")).to_have_value("What shape is blue?")
            expect(page.locator("#chosen li")).to_have_count(1)
            page.get_by_role("button", name="Keep it as it was").click()
            expect(page.locator("#chosen li")).to_have_count(0)
            page.locator("#question").press("ArrowUp")
            expect(page.locator("#chosen li")).to_have_count(1)
            page.get_by_role("button", name="Remove shapes.png").click()
            stand.add_pictures(page, "cat.jpg")
            stand.ask(page, "What is in the picture?")
            self.assertEqual(stand.answered(page), "a cat")
            expect(page.locator(".turn")).to_have_count(2)
            self.assertEqual(len(stand.kept(page)["pictures"]), 1)

    def test_deleted_while_its_answer_comes(self):
        with stand.opened(hand=True) as page:
            stand.ask(page, "Tell me more")
            stand.asked(page)
            page.evaluate("hand.say('It began')")
            expect(page.locator(".answer .text")).to_have_text("It began")
            page.get_by_role("button", name="Rename, export or delete: Tell me more").click()
            page.locator("#delete").click()
            page.locator("#delete").click()
            expect(page.locator("#empty")).to_be_visible()
            expect(page.locator("#send")).to_be_visible()
            page.wait_for_timeout(200)  # for what might still be put away
            self.assertEqual(stand.kept(page)["conversations"], [])

    def test_answer_goes_on_behind_another_conversation(self):
        with stand.opened(hand=True) as page:
            stand.ask(page, "First")
            stand.asked(page)
            page.evaluate("hand.say('It ')")
            page.get_by_role("button", name="New conversation").click()
            expect(page.locator("#empty")).to_be_visible()
            expect(page.locator("#stop")).to_be_visible()
            page.evaluate("hand.say('began')")
            page.locator("#conversations .open").click()
            expect(page.locator(".answer .text")).to_have_text("It began")
            page.evaluate("hand.say(' and ended')")
            page.evaluate("hand.finish()")
            self.assertEqual(stand.answered(page), "It began and ended")

    def test_two_tabs(self):
        with stand.opened() as page:
            stand.ask(page, "Is there a dog?")
            stand.answered(page)
            other = page.context.new_page()
            other.goto(page.url)
            expect(other.locator(".turn")).to_have_count(2)
            stand.ask(other, "Is there a cat?")
            stand.answered(other, 2)
            expect(page.locator(".turn")).to_have_count(4)
            other.get_by_role("button", name="Rename, export or delete").click()
            other.locator("#delete").click()
            other.locator("#delete").click()
            expect(page.locator("#conversations .open")).to_have_count(0)

    def test_without_storage(self):
        with stand.opened() as page:
            page.add_init_script("Object.defineProperty(window, 'indexedDB', {get() { throw new DOMException('no'); }});"
                                 "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no'); }});")
            page.reload()
            expect(page.locator("#side-note")).to_contain_text("keeps nothing")
            page.get_by_role("button", name="What shape is blue?").click()
            page.locator("#send").click()
            self.assertEqual(stand.answered(page), "square")
            page.get_by_role("button", name="Dark appearance").click()


class KeyTest(unittest.TestCase):
    def test_server_with_a_key(self):
        with stand.served("--api-key", "sesame") as address, stand.BROWSER.new_context() as context:
            page = context.new_page()
            page.goto(address)
            dialog = page.locator("#key")
            expect(dialog).to_contain_text("This server asks for a key")
            dialog.locator("input").fill("wrong")
            page.keyboard.press("Enter")
            expect(dialog.locator("input")).to_have_value("")
            dialog.locator("input").fill("sesame")
            page.keyboard.press("Enter")
            page.locator("#model option").first.wait_for(state="attached")
            expect(page.locator(DIALOG)).to_have_count(0)
            page.get_by_role("button", name="What shape is blue?").click()
            page.locator("#send").click()
            self.assertEqual(stand.answered(page), "square")
            page.get_by_role("button", name="Copy as curl or Python").click()
            self.assertIn("Authorization: Bearer $GALAGO_API_KEY", page.locator("#snippet").inner_text())
            self.assertNotIn("sesame", page.locator("#snippet").inner_text())
            stored = page.evaluate("[JSON.stringify(localStorage), JSON.stringify(sessionStorage)]")
            self.assertNotIn("sesame", stored[0])
            self.assertIn("sesame", stored[1])
            self.assertNotIn("sesame", json.dumps(stand.kept(page)))
