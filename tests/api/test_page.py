"""The page at /docs in a real browser: all is shown, and nothing is asked for elsewhere."""

import os
from collections.abc import Iterator

import pytest
from conftest import operations
from gateway import Gateway
from playwright.sync_api import Browser, Page, expect, sync_playwright

BROWSER = os.environ.get("WEIR_BROWSER")

pytestmark = pytest.mark.skipif(not BROWSER, reason="no Chromium; WEIR_BROWSER says where it is")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    environment = dict(os.environ)
    if libraries := os.environ.get("WEIR_BROWSER_LIBRARIES"):
        environment["LD_LIBRARY_PATH"] = libraries
    with sync_playwright() as playwright:
        # Its sandbox wants rights that a container does not give, and it only sees our own page.
        browser = playwright.chromium.launch(executable_path=BROWSER, env=environment, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A page, with what it asked for and what went wrong on it."""

    def __init__(self, page: Page, url: str):
        self.page, self.asked, self.wrong = page, [], []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda message: self.wrong.append(message.text) if message.type == "error" else None)
        page.goto(url)
        page.wait_for_selector("section")


@pytest.fixture
def visit(browser: Browser, gateway: Gateway) -> Iterator[Visit]:
    page = browser.new_page()
    visit = Visit(page, f"{gateway.control_url}/docs")
    yield visit
    assert visit.wrong == []
    page.close()


def test_every_operation_is_shown(visit: Visit, document: dict):
    cards = visit.page.locator("details[data-operation]")
    shown = [cards.nth(at).get_attribute("data-operation") for at in range(cards.count())]
    expected = [f"{method} {path}" for method, path in operations(document)]
    assert sorted(shown) == sorted(expected)
    for at in range(cards.count()):
        card = cards.nth(at)
        card.locator("> summary").click()
        expect(card.locator("pre").first).to_contain_text("curl ")
        expect(card.get_by_text("Answers", exact=True)).to_be_visible()


def test_nothing_is_asked_for_elsewhere(visit: Visit, gateway: Gateway):
    for summary in visit.page.locator("details[data-operation] > summary").all():
        summary.click()
    assert visit.asked == [f"{gateway.control_url}/docs", f"{gateway.control_url}/openapi.json"]
    # What is not in the page's own script does not run, and no other host can be asked.
    for attempt in [
        "const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.body.append(s)",
        "fetch('http://127.0.0.1:9/').catch(() => {})",
    ]:
        visit.page.evaluate(f"() => {{ {attempt} }}")
    assert visit.page.evaluate("() => window.ran") is None
    assert visit.wrong and all("Content Security Policy" in wrong for wrong in visit.wrong), visit.wrong
    for directive in ["script-src", "connect-src"]:
        assert any(directive in wrong for wrong in visit.wrong), visit.wrong
    visit.wrong.clear()


def test_it_is_used_with_the_keyboard_alone(visit: Visit):
    keyboard = visit.page.keyboard
    keyboard.press("/")
    keyboard.type("usage images")
    cards = visit.page.locator("details[data-operation]:visible")
    assert cards.count() == 1
    assert cards.get_attribute("data-operation") == "GET /v1/organization/usage/images"
    for _ in range(10):
        keyboard.press("Tab")
        if visit.page.evaluate("() => document.activeElement.matches('main details > summary')"):
            break
    keyboard.press("Enter")
    expect(cards.locator("pre").first).to_contain_text("curl ")
    keyboard.press("/")
    keyboard.press("Escape")
    assert cards.count() > 10
    keyboard.type("no such thing")
    assert visit.page.get_by_text("Nothing is like that.").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_either_scheme(browser: Browser, gateway: Gateway, scheme: str):
    with browser.new_context(color_scheme=scheme, viewport={"width": 360, "height": 700}) as context:
        page = Visit(context.new_page(), f"{gateway.control_url}/docs#get_v1_organization_costs").page
        assert page.locator("#get_v1_organization_costs").get_attribute("open") is not None
        # On a narrow screen nothing stands out to the right.
        assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
        for selector in ["body", ".what", ".note", "td.type", "a", ".method"]:
            assert contrast(page, selector) >= 4.5, selector


def contrast(page: Page, selector: str) -> float:
    """The ratio of a text's brightness to that of what is behind it, as WCAG has it."""
    script = """(selector) => {
        const element = document.querySelector(selector);
        let behind = element;
        while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
        return [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
    }"""

    def luminance(color: str) -> float:
        parts = [int(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(", ")]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(color) for color in page.evaluate(script, selector)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
