"""Answers as they come: growth, stops, breaks, a server that is busy."""

import json
import unittest

import browser as stand
from playwright.sync_api import expect


class StreamTest(unittest.TestCase):
    """Answers that the test writes piece by piece."""

    def test_answer_grows_and_tiles_clear(self):
        with stand.opened( hand=True) as page:
            page.get_by_role("button", name="What shape is blue?").click()
            expect(page.locator("#cost")).to_contain_text("tokens")
            page.locator("#send").click()
            stand.asked(page)
            seen = page.locator(".question rect.tile.seen")
            answer = page.locator(".answer")
            expect(answer).to_have_attribute("aria-busy", "true")
            expect(seen).to_have_count(0)
            for done in (1, 3, 5):
                page.evaluate("done => hand.event({object: 'galago.progress', tiles_done: done, tiles_total: 5, prompt_tokens: 110})", done)
                expect(seen).to_have_count(min(done, 4))
            expect(answer).to_contain_text("Reading 110 tokens")
            page.evaluate("hand.say('A **squ')")
            expect(answer.locator(".text")).to_have_text("A **squ")
            page.evaluate("hand.say('are**')")
            expect(answer.locator("strong")).to_have_text("square")
            self.assertEqual(page.locator("#status").inner_text(), "Asking")  # not word by word
            page.evaluate("hand.finish('length')")
            expect(answer.locator(".note")).to_contain_text("Cut off")
            expect(page.locator("#status")).to_have_text("Answer: A **square**")

    def test_stop_keeps_what_was_written(self):
        with stand.opened( hand=True) as page:
            stand.ask(page, "Tell me more")
            stand.asked(page)
            page.evaluate("hand.say('It began')")
            expect(page.locator(".answer .text")).to_have_text("It began")
            page.keyboard.press("Escape")
            expect(page.locator(".answer .note")).to_have_text("Stopped.")
            expect(page.locator("#send")).to_be_visible()
            stand.reloaded(page)
            expect(page.locator(".answer .text")).to_have_text("It began")

    def test_broken_streams_are_told(self):
        with stand.opened( hand=True) as page:
            stand.ask(page, "One")
            stand.asked(page)
            page.evaluate("hand.say('Half an')")
            page.evaluate("hand.end()")
            expect(page.locator(".answer [role=alert]")).to_contain_text("ended before the answer was whole")
            expect(page.locator(".answer .text")).to_have_text("Half an")
            page.get_by_role("button", name="Ask again").click()
            stand.asked(page, 2)
            page.evaluate("hand.event({error: {message: 'No memory.', type: 'server_error', code: 'internal'}})")
            expect(page.locator(".answer [role=alert]")).to_contain_text("The server failed")
            expect(page.locator(".answer [role=alert]")).to_contain_text("No memory.")
            expect(page.locator(".answer")).to_have_count(1)

    def test_events_in_any_pieces(self):
        with stand.opened() as page:
            read = page.evaluate("""async () => {
              const {readEvents} = await import('/page/api.js');
              const bytes = new TextEncoder().encode(': note\\r\\n\\r\\ndata: é€😀\\r\\n\\r\\nevent: x\\ndata:a\\ndata: b\\n\\ndata: never ended');
              const all = [];
              for (let size = 1; size < bytes.length; ++size) {
                const stream = new ReadableStream({start(controller) {
                  for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
                  controller.close();
                }});
                const events = [];
                for await (const event of readEvents(stream)) events.push(event);
                all.push(JSON.stringify(events));
              }
              return [...new Set(all)];
            }""")
            self.assertEqual(read, [json.dumps(["é€😀", "a\nb"], ensure_ascii=False, separators=(",", ":"))])

    def test_busy_and_loading_are_waited_for(self):
        answers = [(429, {"Retry-After": "1"}), (503, {"retry-after-ms": "200"})]
        with stand.opened() as page:
            def refuse(route):
                if not answers:
                    return route.continue_()
                status, headers = answers.pop(0)
                return route.fulfill(status=status, headers=headers, json={"error": {"message": "Later.", "type": "x"}})
            page.route("**/v1/chat/completions", refuse)
            page.get_by_role("button", name="What shape is blue?").click()
            page.locator("#send").click()
            expect(page.locator(".answer .state")).to_contain_text("The server is busy. Trying again in 1 s.")
            self.assertEqual(stand.answered(page), "square")
            self.assertEqual(answers, [])

    def test_server_that_is_gone(self):
        with stand.opened() as page:
            page.route("**/v1/chat/completions", lambda route: route.abort())
            try:
                stand.ask(page, "Hello?")
                expect(page.locator(".answer [role=alert]")).to_contain_text("No connection")
            finally:
                page.unroute("**/v1/chat/completions")
            page.get_by_role("button", name="Ask again").click()
            self.assertTrue(stand.answered(page))
