"""What the tests of the page stand on: galago serve with the demo model, Chromium, and an eye on its console.

In: the program. Out: pages of a browser that fail the test when a policy was broken or a script threw. Says "skipped"
and exits 77 when Chromium or playwright is not there (scripts/setup --page installs both).
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
VENV = ROOT / ".cache" / "page" / "bin" / "python"
SKIPPED = 77
PICTURES = ROOT / "models" / "demo" / "pictures"

# Set by standing().
PROGRAM = None
BROWSER = None
ADDRESS = None


def skip(reason):
    print(f"skipped: {reason} (scripts/setup --page)")
    sys.exit(SKIPPED)


def require_browser():
    """Goes on in the virtual environment when this Python has no playwright."""
    chromium = shutil.which("chromium")
    if not chromium:
        skip("no Chromium")
    try:
        import playwright  # noqa: F401
    except ImportError:
        if not VENV.exists() or pathlib.Path(sys.prefix) == VENV.parent.parent:
            skip("no playwright")
        os.execv(VENV, [VENV, "-B", *sys.argv])
    return chromium


def axe_source():
    """axe-core, the checker of accessibility, as its package brings it; None without the package."""
    try:
        import axe_playwright_python
    except ImportError:
        return None
    found = list(pathlib.Path(axe_playwright_python.__file__).parent.rglob("axe.min.js"))
    return found[0].read_text(encoding="utf-8") if found else None


@contextlib.contextmanager
def served(*flags):
    """The address of a galago serve that is ready; it is ended at the end."""
    with tempfile.TemporaryFile("w+") as log:
        command = [PROGRAM, "serve", "-m", ROOT / "models" / "demo", "--port", "0", *flags]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            address = server.stdout.readline().strip()
            if not address.startswith("http"):
                server.wait(10)
                log.seek(0)
                raise RuntimeError(f"galago serve did not start: {log.read()}")
            yield address
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            server.stdout.close()


# Lines of the console that a test causes on purpose: an answer with an error status, or none.
EXPECTED = ("Failed to load resource: the server responded with a status of", "Failed to load resource: net::ERR_FAILED")

# Lets a test write the answer of the server by hand, piece by piece: see hand.js.
HAND = (pathlib.Path(__file__).parent / "hand.js").read_text(encoding="utf-8")


@contextlib.contextmanager
def standing(program, chromium):
    """A browser and a server that all tests share."""
    from playwright.sync_api import sync_playwright

    global PROGRAM, BROWSER, ADDRESS
    PROGRAM = program
    flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright, served() as ADDRESS:
        BROWSER = playwright.chromium.launch(executable_path=chromium, args=flags)
        try:
            yield
        finally:
            BROWSER.close()


@contextlib.contextmanager
def opened(hand=False, complaints_wanted=False, **options):
    """The page in a context of its own, with nothing kept. Fails when the browser complained of something."""
    options.setdefault("viewport", {"width": 1200, "height": 800})
    context = BROWSER.new_context(**options)
    context.set_default_timeout(15000)
    complaints = []
    page = context.new_page()
    page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("filechooser", lambda _: None)  # from here on no dialog of the system opens
    if hand:
        page.add_init_script(HAND)
    page.goto(ADDRESS)
    page.locator("#model option").first.wait_for(state="attached")
    try:
        yield page
        seen = [line for line in complaints if not line.startswith(EXPECTED)]
        assert complaints_wanted or not seen, f"the browser complained: {seen}"
    finally:
        context.close()


def add_pictures(page, *names):
    page.locator("#files").set_input_files([PICTURES / name for name in names])


def ask(page, text):
    page.locator("#question").fill(text)
    page.locator("#send").click()


def asked(page, count=1):
    """Waits until so many questions have reached hand.js."""
    page.evaluate("count => hand.started(count)", count)


def reloaded(page):
    """Loads the page anew, once the browser has put away what was answered."""
    for _ in range(100):
        messages = [message for conversation in kept(page)["conversations"] for message in conversation["messages"]]
        if messages and all(message.get("state") != "streaming" for message in messages):
            break
        page.wait_for_timeout(50)
    page.reload()


def answered(page, count=1):
    """Waits for that many whole answers; the text of the last."""
    page.locator("#stop").wait_for(state="hidden")
    answers = page.locator(".answer:not([aria-busy])")
    answers.nth(count - 1).wait_for()
    return answers.nth(count - 1).locator(".text").inner_text().strip()


def kept(page):
    """What IndexedDB holds: {conversations: [...], pictures: [ids]}."""
    return page.evaluate("""async () => {
      const store = await import('/page/store.js');
      await store.openStore();
      const conversations = await store.listConversations();
      const database = await new Promise((done) => {
        const opening = indexedDB.open('galago');
        opening.onsuccess = () => done(opening.result);
      });
      const pictures = await new Promise((done) => {
        const asked = database.transaction('pictures').objectStore('pictures').getAllKeys();
        asked.onsuccess = () => done(asked.result);
      });
      database.close();
      return {conversations, pictures};
    }""")
