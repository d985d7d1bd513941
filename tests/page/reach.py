"""Keyboard, phone, light and dark, readers of the screen."""

import unittest

import browser as stand
from markdown_cases import CASES
from playwright.sync_api import expect


class ReachTest(unittest.TestCase):
    def test_keyboard_alone(self):
        with stand.opened() as page:
            expect(page.locator("#question")).to_be_focused()
            page.keyboard.press("Tab")
            expect(page.locator("#choose")).to_be_focused()
            with page.expect_file_chooser() as chooser:
                page.keyboard.press("Enter")
            chooser.value.set_files(stand.PICTURES / "shapes.png")
            expect(page.locator("#question")).to_be_focused()
            page.keyboard.type("What shape is")
            page.keyboard.press("Shift+Enter")
            page.keyboard.type("blue?")
            expect(page.locator("#question")).to_have_value("What shape is\nblue?")
            page.keyboard.press("Enter")
            self.assertTrue(stand.answered(page))
            expect(page.locator("#question")).to_be_focused()
            names = []
            for _ in range(12):
                page.keyboard.press("Shift+Tab")
                names.append(page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"))
                outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                self.assertEqual(outline, "solid", names[-1])
            for name in ("Copy as curl or Python", "Answer again", "Copy the answer", "shapes.png, larger", "Change the question", "Settings"):
                self.assertIn(name, names)
            page.get_by_role("button", name="Copy as curl or Python").focus()
            page.keyboard.press("Enter")
            expect(page.locator("#code")).to_be_visible()
            page.keyboard.press("Escape")
            expect(page.get_by_role("button", name="Copy as curl or Python")).to_be_focused()

    def test_phone(self):
        phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
        with stand.opened( **phone) as page:
            fits = "document.scrollingElement.scrollWidth <= innerWidth"
            self.assertTrue(page.evaluate(fits))
            with page.expect_file_chooser() as chooser:
                page.locator("#camera").tap()
            chooser.value.set_files(stand.PICTURES / "dog_and_car.jpg")
            expect(page.locator("#chosen li")).to_have_count(1)
            stand.ask(page, "What is on the left?")
            self.assertEqual(stand.answered(page), "a dog")
            self.assertTrue(page.evaluate(fits))
            wide = page.evaluate("[...document.querySelectorAll('#scroll, .turn, .figures')].filter((node) => node.scrollWidth > node.clientWidth + 1).length")
            self.assertEqual(wide, 0)
            page.locator("#open-side").tap()
            expect(page.locator("#side")).to_be_visible()
            expect(page.locator("#new")).to_be_focused()
            self.assertTrue(page.evaluate("document.getElementById('main').inert"))
            page.keyboard.press("Escape")
            expect(page.locator("#side")).to_be_hidden()
            expect(page.locator("#open-side")).to_be_focused()

    def test_appearance(self):
        ground = "getComputedStyle(document.body).backgroundColor"
        with stand.opened( color_scheme="dark") as page:
            dark = page.evaluate(ground)
            page.get_by_role("button", name="Light appearance").click()
            light = page.evaluate(ground)
            self.assertNotEqual(light, dark)
            page.reload()
            self.assertEqual(page.evaluate(ground), light)
            page.locator("#open-settings").click()
            page.locator("#settings-form").get_by_role("radio", name="System").check()
            self.assertEqual(page.evaluate(ground), dark)
            page.emulate_media(color_scheme="light")
            self.assertEqual(page.evaluate(ground), light)
            page.emulate_media(reduced_motion="reduce")
            self.assertEqual(page.evaluate("getComputedStyle(document.getElementById('settings')).animationName"), "none")

    def test_axe_finds_nothing(self):
        source = stand.axe_source()
        if source is None:
            self.skipTest("no axe-playwright-python")
        for scheme in ("light", "dark"):
            with stand.opened( hand=True, color_scheme=scheme) as page, self.subTest(scheme):
                page.evaluate(source)
                self.assert_reachable(page, "empty")
                stand.add_pictures(page, "shapes.png")
                expect(page.locator("#cost")).to_contain_text("tokens")
                stand.ask(page, "Hello")
                stand.asked(page)
                everything = "\n\n".join(text for name, text, _ in CASES if "heading" not in name)
                page.evaluate("text => hand.say(text)", everything)
                page.evaluate("hand.finish()")
                stand.answered(page)
                self.assert_reachable(page, "answer")
                page.locator("#open-settings").click()
                page.locator("#settings-form [name=schema]").fill("{")
                page.locator("#settings-form [name=system]").focus()
                self.assert_reachable(page, "settings")

    def assert_reachable(self, page, what):
        page.wait_for_timeout(250)  # colours that change slowly
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        told = [f"{rule['id']}: {node['html'][:160]} {node['failureSummary']}" for rule in found["violations"] for node in rule["nodes"]]
        self.assertEqual(told, [], what)
