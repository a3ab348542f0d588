"""What the tools do to real pages, in a real browser."""

from __future__ import annotations

import html
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smolagents.vision_web_browser import BrowserError

HOSTILE = [
    "'",
    '"',
    'it\'s "both"',
    "'] | //* | //*['",
    "x')] | //input[starts-with(., '",
    "'); document.title = 'owned'; ('",
    "</script><script>document.title = 'owned'</script>",
    "${document.title = 'owned'}",
    "`; document.title = 'owned'; `",
    "\\'; document.title = 'owned'; //",
    "\u2028document.title = 'owned'",
    "]]>",
]


def page(body):
    return "data:text/html;charset=utf-8," + quote(f"<!doctype html><title>Test</title><body>{body}</body>")


def show(browser, body):
    browser.act(lambda driver: driver.get(page(body)))


def title(browser):
    return browser.act(lambda driver: driver.title)


def test_a_search_field_is_filled_in_and_sent(tools, shop):
    tools["go_to"](shop.url)
    tools["close_popups"]()
    seen = tools["write"]("SHIRT", into="Search products", press_enter=True)
    assert seen.startswith("Typed 'SHIRT'. Current page: Search at ")
    page = tools["read_page"]()
    assert "Results for SHIRT" in page
    assert "Can be clicked: 'Linen shirt'\n" in page


def test_typing_goes_on_where_the_cursor_is(tools, shop):
    tools["go_to"](shop.url)
    tools["close_popups"]()
    with pytest.raises(BrowserError, match="No field has the cursor"):
        tools["write"]("coat")
    tools["write"]("rain", into="q")
    tools["write"](" coat")
    tools["press"]("Enter")
    assert "Results for rain coat" in tools["read_page"]()


def test_the_cookie_popup_covers_the_page_until_it_is_refused(tools, browser, shop):
    tools["go_to"](shop.url)
    with pytest.raises(BrowserError, match="Something covers 'Men': close it first"):
        tools["click"]("Men")
    assert tools["close_popups"]().startswith("Clicked 'Reject all'. Current page: Kestrel")
    assert browser.act(lambda driver: driver.get_cookie("consent"))["value"] == "no"
    assert "Current page: Men" in tools["click"]("Men")
    assert tools["close_popups"]().startswith("There was no pop-up")


def test_only_buttons_that_close_are_taken_for_such(tools, browser):
    bar = "<div style='position: fixed; z-index: 9; bottom: {}px'>{}</div>"
    buttons = ["Continue to checkout", "Skip to content", "Accept order", "Okay, buy now"]
    show(browser, bar.format(0, "".join(f"<button onclick='document.title = 1'>{text}</button>" for text in buttons)))
    assert tools["close_popups"]().startswith("There was no pop-up")
    show(browser, bar.format(0, "<button onclick='this.parentNode.remove()'>Accept all cookies</button>"))
    assert tools["close_popups"]().startswith("Clicked 'Accept all cookies'. Current page: Test")
    show(browser, bar.format(0, "<button aria-label='Close' onclick='this.parentNode.remove()'>*</button>"))
    assert tools["close_popups"]().startswith("Clicked '*'.")


def test_a_whole_text_is_preferred_to_the_beginning_of_another(tools, browser):
    show(
        browser,
        "<button onclick='document.title = 1'>Sales team</button> <a href='#' onclick='document.title = 2'>Sale</a> "
        "<p>Sale</p> <button hidden>Sale</button>",
    )
    assert "Current page: 2 at" in tools["click"]("sale")
    with pytest.raises(BrowserError, match="'Sale' is shown 3 times; there is no number 4"):
        tools["click"]("Sale", nth_result=4)


def test_what_is_not_there_is_answered_with_what_is(tools, browser):
    show(browser, "<a href='#a'>Check out</a> <button>Help</button> <input placeholder='Your name'>")
    with pytest.raises(BrowserError, match=r"Nothing on the page shows 'Checkout'\. Did you mean 'Check out'"):
        tools["click"]("Checkout")
    with pytest.raises(BrowserError, match="Can be clicked: 'Check out', 'Help'"):
        tools["click"]("zzz")
    with pytest.raises(BrowserError, match=r"no field 'Address' on the page\. Its fields: 'Your name'"):
        tools["write"]("x", into="Address")
    with pytest.raises(BrowserError, match="no key 'F13'; use one of enter, escape"):
        tools["press"]("F13")
    with pytest.raises(BrowserError, match="'abc' is not on this page"):
        tools["search_item_ctrl_f"]("abc")


def test_an_option_is_chosen(tools, shop):
    tools["go_to"](f"{shop.url}/men/linen-shirt.html")
    tools["close_popups"]()
    tools["select"]("L", "Size")
    tools["click"]("Add to basket")
    assert "1 item in your basket, size L" in tools["read_page"]()
    with pytest.raises(BrowserError, match="'Size' has no option 'XXL', but 'S', 'M', 'L'"):
        tools["select"]("XXL", "Size")


def test_a_text_is_searched_whatever_its_case(tools, browser, shop):
    tools["go_to"](f"{shop.url}/men/linen-shirt.html")
    before = browser.act(lambda driver: driver.execute_script("return scrollY"))
    assert tools["search_item_ctrl_f"]("within 30 DAYS") == "Found 'within 30 DAYS' 1 time; the window shows number 1."
    assert browser.act(lambda driver: driver.execute_script("return scrollY")) > before
    with pytest.raises(BrowserError, match="1 time; no number 2"):
        tools["search_item_ctrl_f"]("within 30 days", nth_result=2)


def test_scrolling_tells_what_the_window_shows(tools, shop):
    tools["go_to"](f"{shop.url}/men/linen-shirt.html")
    assert tools["scroll_down"](500).startswith("The window shows pixels 500 to ")
    assert tools["scroll_up"](200).startswith("The window shows pixels 300 to ")
    assert tools["scroll_down"](100_000).split(". ")[0].endswith("of 3028") or "of 3" in tools["scroll_down"](1)


def test_a_new_tab_is_followed_and_back_goes_back(tools, shop):
    tools["go_to"](f"{shop.url}/men/linen-shirt.html")
    tools["close_popups"]()
    assert "Current page: Care" in tools["click"]("Care instructions")
    tools["go_to"](f"{shop.url}/women.html")
    assert "Current page: Care" in tools["go_back"]()


def test_without_a_list_every_host_is_open(tools, shop):
    assert f"at {shop.other_host}/women.html" in tools["go_to"](f"{shop.url}/elsewhere")


def test_files_are_saved_into_the_folder(tools, shop, downloads):
    tools["go_to"](f"{shop.url}/men/linen-shirt.html")
    tools["close_popups"]()
    assert tools["download"]("Size guide").startswith(f"Saved {downloads / 'size-guide.csv'} (27 bytes).")
    assert (downloads / "size-guide.csv").read_text() == "size,chest\nS,92\nM,98\nL,104\n"
    assert tools["download"]("Size guide").startswith(f"Saved {downloads / 'size-guide (1).csv'} (27 bytes).")
    saved = tools["download"](f"{shop.url}/invoice")
    (invoice,) = downloads.glob("*invoice*")
    assert saved.startswith(f"Saved {invoice} (9 bytes). Current page: Linen shirt")
    assert not list(downloads.parent.glob("*invoice*"))


def test_a_long_page_is_read_in_parts(tools, browser):
    show(browser, "<p>" + "word " * 3000 + "</p><p>the end</p>")
    assert "(part 1 of 3" in tools["read_page"]()
    assert tools["read_page"](3).splitlines()[-2].endswith("the end")
    with pytest.raises(BrowserError, match="3 parts; there is no part 4"):
        tools["read_page"](4)


def test_dialogs_of_a_page_do_not_block(tools, browser):
    show(browser, "<button onclick='alert(1); document.title = confirm(2)'>Ask</button>")
    tools["click"]("Ask")
    assert title(browser) == "false"


@pytest.mark.parametrize("text", HOSTILE)
def test_text_becomes_neither_xpath_nor_script(tools, browser, text, monkeypatch):
    monkeypatch.setattr("smolagents.cli.web_agent.page._PATIENCE_SECONDS", 0)
    show(browser, "<a href='#a'>Log in</a> <input aria-label='Name'> <select aria-label='Size'><option>S</select>")
    for call in (
        lambda: tools["click"](text),
        lambda: tools["write"]("x", into=text),
        lambda: tools["search_item_ctrl_f"](text),
        lambda: tools["select"](text, "Size"),
        lambda: tools["download"](text),
    ):
        with pytest.raises(BrowserError, match=r"Nothing on the page|no field|not on this page|has no option"):
            call()
    tools["write"](text.replace("\u2028", ""), into="Name")
    assert title(browser) == "Test"
    assert browser.act(lambda driver: driver.current_url).endswith("body%3E")


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.text("ab'\"\\`<>&[]()|/*.$}{ é", min_size=1, max_size=12).filter(lambda text: text.strip()))
def test_any_text_that_is_shown_is_found(tools, browser, text):
    show(browser, f"<p>first</p><button onclick='document.title = \"hit\"'>{html.escape(text)}</button>")
    tools["search_item_ctrl_f"](text)
    tools["click"](text)
    assert title(browser) == "hit"
