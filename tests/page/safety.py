"""Text that nobody trusts: Markdown, hostile answers, the policy of the page."""

import unittest

import browser as stand
from markdown_cases import CASES, HEAVY
from playwright.sync_api import expect


class SafetyTest(unittest.TestCase):
    SERIALISED = """async (texts) => {
      const {render} = await import('/page/markdown.js');
      return texts.map((text) => {
        const place = document.createElement('div');
        const start = performance.now();
        place.append(...render(text));
        return [place.innerHTML, performance.now() - start];
      });
    }"""

    def test_markdown(self):
        with stand.opened() as page:
            made = page.evaluate(self.SERIALISED, [text for _, text, _ in CASES])
            for (name, _, expected), (html, _) in zip(CASES, made):
                with self.subTest(name):
                    self.assertEqual(html, expected)

    def test_growing_text_ends_as_the_whole(self):
        with stand.opened() as page:
            wrong = page.evaluate("""async (texts) => {
              const {MarkdownView, render} = await import('/page/markdown.js');
              return texts.filter((text) => {
                const whole = document.createElement('div');
                whole.append(...render(text));
                const place = document.createElement('div');
                const view = new MarkdownView(place);
                for (let end = 0; end <= text.length; end += 3) view.show(text.slice(0, end));
                view.show(text);
                return place.innerHTML !== whole.innerHTML;
              });
            }""", [text for _, text, _ in CASES] + ["\n\n".join(text for _, text, _ in CASES)])
            self.assertEqual(wrong, [])

    def test_heavy_markdown(self):
        with stand.opened() as page:
            for name, text in HEAVY:
                with self.subTest(name):  # minutes, where the work grows with the square of the length
                    (_, took), = page.evaluate(self.SERIALISED, [text])
                    self.assertLess(took, 10000)

    def test_hostile_answer_makes_no_elements(self):
        hostile = ("<img src=x onerror=alert(1)>\n\n<script>alert(2)</script>\n\n[a](javascript:alert(3)) "
                   "[b](vbscript:x) <iframe src=//evil.example> <a href=javascript:alert(4)>c</a> <svg onload=alert(5)>\n\n"
                   "![d](https://evil.example/pixel.png)\n\n| <b onclick=alert(6)> |\n|---|\n| <style>*{display:none}</style> |")
        with stand.opened( hand=True) as page:
            asked = []
            page.on("request", lambda request: asked.append(request.url))
            page.on("dialog", lambda dialog: self.fail(f"a script ran: {dialog.message}"))
            stand.ask(page, "<img src=x onerror=alert(7)>")
            stand.asked(page)
            page.evaluate("text => hand.say(text)", hostile)
            page.evaluate("hand.finish()")
            stand.answered(page)
            allowed = {"P", "A", "SPAN", "DIV", "TABLE", "THEAD", "TBODY", "TR", "TH", "TD"}
            made = page.locator(".answer .text *").evaluate_all("all => all.map((node) => [node.tagName, node.getAttributeNames()])")
            self.assertLessEqual({tag for tag, _ in made}, allowed)
            attributes = {name for _, names in made for name in names}
            self.assertLessEqual(attributes, {"class", "href", "target", "rel", "tabindex", "role", "aria-label", "scope"})
            expect(page.locator(".answer .text a")).to_have_count(1)
            expect(page.locator(".question .asked")).to_have_text("<img src=x onerror=alert(7)>")
            expect(page.locator("#title")).to_have_text("<img src=x onerror=alert(7)>")
            stand.reloaded(page)
            expect(page.locator("#conversations .open")).to_have_text("<img src=x onerror=alert(7)>")
            self.assertEqual([url for url in asked if not url.startswith((stand.ADDRESS, "blob:", "data:"))], [])

    def test_policy_holds(self):
        with stand.opened( complaints_wanted=True) as page:
            refused = page.evaluate("""async () => {
              const refused = [];
              document.addEventListener('securitypolicyviolation', (event) => refused.push(event.effectiveDirective));
              try { document.createElement('div').innerHTML = '<b>a</b>'; } catch { refused.push('innerHTML'); }
              document.body.setAttribute('style', 'color: red');
              await fetch('http://127.0.0.1:9/').catch(() => {});
              await new Promise((done) => {
                const image = new Image();
                image.onload = image.onerror = done;
                image.src = 'http://127.0.0.1:9/a.png';
              });
              await new Promise((done) => setTimeout(done, 100));
              return refused;
            }""")
            self.assertLessEqual({"innerHTML", "style-src-attr", "connect-src", "img-src"}, set(refused))
