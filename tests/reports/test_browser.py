"""Both pages in a real browser, headless Chromium, from disk: no network, no errors, keyboard, filters, axe.

Skips with the reason where Chromium, its driver or axe-core (AXE_CORE, or node_modules/axe-core/axe.min.js) is absent.
"""

import json
import os
import shutil
from pathlib import Path

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

from reports.drawing.tables import Table, Value, to_html  # noqa: E402
from reports.pdf import BROWSERS, FLAGS  # noqa: E402
from reports.reading.notation import Measured  # noqa: E402
from reports.reading.paper import load_paper  # noqa: E402
from tests.reports.comparing import two_sides  # noqa: E402
from tests.reports.conftest import SCALE, Lab  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
AXE = Path(os.environ.get("AXE_CORE", ROOT / "node_modules" / "axe-core" / "axe.min.js"))
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="no Chromium with its driver: apt-get install chromium chromium-driver"
)
needs_axe = pytest.mark.skipif(
    not AXE.exists(),
    reason="no axe-core: npm install --no-save --no-package-lock axe-core@4.14.1, or AXE_CORE",
)
OPEN_ALL = "document.querySelectorAll('details').forEach((fold) => { fold.open = true; })"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, site):
    """The page as it opens, on a wide light screen."""
    return opened(browser, site / "index.html")


@pytest.fixture(scope="module")
def comparison(tmp_path_factory) -> Path:
    """A comparison of two folders of results, with all that it can show: a figure, a table, a verdict that changed."""
    base, here = (Lab(tmp_path_factory.mktemp(name)) for name in ("base", "here"))
    for lab, gain in ((base, 10.0), (here, -10.0)):
        values = [[30 + gain + 1.1 * seed for seed in (0.0, 0.5, 0.25)], *[[30.0, 30.5, 30.25]] * 2]
        two_sides.measure(lab, two_sides.cells([0.1, 0.5, 1 + gain / 100], values), claims=two_sides.CLAIM)
        heads = [[kind, 32, "", 0, "top1", 41 + gain, f"{kind}-seed0"] for kind in ("linear", "nonlinear")]
        lab.put("figure_08", two_sides.HEADS, heads)
    two_sides.page(base.results, here)
    return here.out / SCALE / "compare" / "index.html"


@pytest.fixture
def compared(browser, comparison):
    """The comparison as it opens, on a wide light screen."""
    return opened(browser, comparison)


def opened(browser, path):
    """A page on a wide light screen, with the logs of earlier pages read away."""
    show(browser, 1280)
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(path.as_uri())
    return browser


def show(browser, width, height=900, dark=False, media=""):
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [scheme]})


def asked_from_disk(page):
    """What was loaded since the page was opened, none of it from a network."""
    events = [json.loads(line["message"])["message"] for line in page.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert all(address.startswith("file://") for address in asked)
    return asked


def check_with_axe(page):
    page.execute_script(AXE.read_text())
    found = page.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    assert len(found["passes"]) > 20
    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found["violations"]] == []


def scrolls_sideways(page):
    return page.execute_script(
        "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )


def all_of(page, selector):
    return page.find_elements(By.CSS_SELECTOR, selector)


def one(page, selector):
    return page.find_element(By.CSS_SELECTOR, selector)


def visible(page, selector):
    """The ids, or claims, of what is on the page and not filtered away."""
    return [
        item.get_dom_attribute("id") or item.get_dom_attribute("data-claim")
        for item in all_of(page, selector)
        if item.is_displayed()
    ]


def choose(page, name, value):
    Select(one(page, f"#filter [name={name}]")).select_by_value(value)


def column(page, table, place):
    cells = all_of(page, f"{table} tbody tr > :nth-child({place})")
    return [cell.get_property("textContent").strip() for cell in cells]


def test_it_opens_from_disk_without_errors_or_requests(page):
    page.execute_script(OPEN_ALL)
    assert page.get_log("browser") == [] and len(asked_from_disk(page)) >= 4
    drawn = page.execute_script(
        "return [...document.images].map((image) => [image.currentSrc.split('.').pop(), image.naturalWidth])"
    )
    assert len(drawn) == 3 and all(kind == "svg" and width > 0 for kind, width in drawn)


def test_a_verdict_filters_claims_and_exhibits_and_says_how_many(page):
    pressed = one(page, ".counts [data-verdict=contradicted] button")
    pressed.send_keys(Keys.ENTER)
    assert visible(page, "article") == ["table_01"]
    assert visible(page, "#all-claims tr[data-claim]") == ["A12"]
    assert pressed.get_dom_attribute("aria-pressed") == "true"
    assert one(page, "#filter output").text == "Showing 1 of 5 claims and 1 of 31 exhibits."
    pressed.send_keys(Keys.SPACE)
    assert len(visible(page, "article")) == 31 and one(page, "#filter output").text == ""


def test_text_section_and_kind_filter_together(page):
    one(page, "#filter [name=text]").send_keys("BATCH")
    assert "figure_09" in visible(page, "article") and "table_05" not in visible(page, "article")
    choose(page, "kind", "table")
    assert all(name.startswith("table") for name in visible(page, "article"))
    one(page, "#filter [type=reset]").click()
    page.execute_script("return new Promise((done) => setTimeout(done, 50))")
    choose(page, "section", "6")
    assert visible(page, "article") == ["table_06", "table_07", "table_08"]
    assert visible(page, ".board li") == ["F1"]


def test_a_link_to_what_a_filter_hides_shows_it(page):
    choose(page, "kind", "table")
    assert "figure_08" not in visible(page, "article")
    page.execute_script("location.hash = '#figure_08--nonlinear-1'")
    run = one(page, "[id='figure_08--nonlinear-1']")
    assert run.is_displayed() and "--run nonlinear-1" in run.text
    assert page.execute_script("return arguments[0].getBoundingClientRect().top < innerHeight", run)


def test_a_number_leads_to_its_run_by_keyboard(page):
    page.execute_script(OPEN_ALL)
    one(page, "#figure_08 table.numbers tbody td:last-child a").send_keys(Keys.ENTER)
    assert page.current_url.endswith("#figure_08--linear-0")
    assert "--run linear-0" in one(page, ":target").text


def test_tables_sort_by_size_and_back(page):
    page.execute_script(OPEN_ALL)
    table = "#figure_08 table.numbers"
    before = column(page, table, 6)
    header = one(page, f"{table} thead th:nth-child(6)")
    orders = []
    for _ in range(3):
        one(header, "button").send_keys(Keys.ENTER)
        orders.append((header.get_dom_attribute("aria-sort"), column(page, table, 6)))
    printed = [float(text) for text in before if text]
    assert [order for order, _ in orders] == ["ascending", "descending", None]
    assert [float(text) for text in orders[0][1] if text] == sorted(printed)
    assert [float(text) for text in orders[1][1] if text] == sorted(printed, reverse=True)
    assert orders[0][1][len(printed) :] == orders[1][1][len(printed) :] == [""] * (len(before) - len(printed))
    assert orders[2][1] == before


def test_a_figure_opens_turns_grows_and_closes_by_keyboard(page):
    link = one(page, "#figure_08 a.zoom")
    link.send_keys(Keys.ENTER)
    dialog = one(page, "#zoom")
    assert dialog.get_dom_attribute("open") is not None and one(dialog, "h2").text.startswith("Figure 8")
    image = one(dialog, "img")
    width = image.size["width"]
    page.switch_to.active_element.send_keys("+")
    assert one(dialog, "img").size["width"] > 1.3 * width
    page.switch_to.active_element.send_keys("0", Keys.ARROW_RIGHT)
    assert one(dialog, "h2").text.startswith("Figure 9") and "figure_09.svg" in one(
        dialog, "img"
    ).get_property("src")
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert dialog.get_dom_attribute("open") is None and page.switch_to.active_element == link


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_screen_scrolls_sideways(page, width):
    show(page, width)
    page.execute_script(OPEN_ALL)
    assert not scrolls_sideways(page)


def test_without_a_script_all_content_is_there(page, site):
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    page.get((site / "index.html").as_uri())
    try:
        assert len(visible(page, "article")) == 31 and len(visible(page, ".claim")) == 5
        assert not one(page, "#filter").is_displayed() and not all_of(page, ".counts button")
        assert one(page, "#figure_08 a.zoom").get_property("href").endswith("figure_08.svg")
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_figures_follow_the_dark_and_photographs_do_not(page):
    colour = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor"
    inverted = "return getComputedStyle(document.querySelector(arguments[0])).filter"
    show(page, 1280, dark=True)
    assert page.execute_script(inverted, "#figure_08 figure img").startswith("invert(")
    assert page.execute_script(inverted, "#figure_06 figure img") == "none"
    assert page.execute_script(colour, "#figure_06 a.zoom") == "rgb(255, 255, 255)"
    assert page.execute_script(colour, "body") == "rgb(20, 23, 26)"


def test_print_leaves_out_what_paper_cannot_do(page):
    show(page, 700, media="print")
    for selector in ("#filter", ".toc", ".downloads", "article details", "a[download]"):
        assert not one(page, selector).is_displayed(), selector
    assert one(page, "#claim-C1").is_displayed() and one(page, "#figure_08 img").is_displayed()


def test_a_table_of_many_columns_is_printed_whole(browser, tmp_path):
    """Table 8: thirteen data sets on a sheet of A4, which has 680 px between its margins."""
    cells = [Value("top1", Measured(91.9, None, 1), "95.3", bold=True) for _ in range(13)]
    names = load_paper(ROOT / "params" / "paper" / "table_08.csv")["dataset"].unique()
    heads = ["Digits", *[f"{name}†" for name in names]]
    rows = [["Linear evaluation", "Supervised", *cells], ["Fine-tuned", "Random init", *cells]]
    table = to_html(Table(["", "Method", *heads], rows, stubs=2), "T", [])
    style = (ROOT / "reports" / "templates" / "page.css").read_text()
    (tmp_path / "t.html").write_text(f"<!doctype html><style>{style}</style><article>{table}</article>")
    opened(browser, tmp_path / "t.html")
    show(browser, 680, media="print")
    edge = browser.execute_script("return document.querySelector('table').getBoundingClientRect().right")
    assert edge <= 680


@needs_axe
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(page, width, dark):
    show(page, width, dark=dark)
    page.execute_script(OPEN_ALL)
    check_with_axe(page)


def test_a_comparison_opens_from_disk_without_errors_or_requests(compared):
    assert compared.get_log("browser") == []
    asked = [address.rpartition("/")[2] for address in asked_from_disk(compared)]
    assert sorted(asked) == ["figure_08_base.svg", "figure_08_here.svg", "index.html"]
    assert compared.execute_script("return [...document.images].every((image) => image.naturalWidth > 0)")
    said = one(compared, "main").text
    assert "confirmed" in said and "contradicted" in said and "nt_xent.temperature" in said


def test_links_of_a_comparison_lead_somewhere(compared):
    """To a part of the page, such as from an exhibit's numbers to its drawings."""
    links = [link.get_property("href") for link in all_of(compared, "a")]
    inside = [
        link.partition("#")[2] for link in links if link.startswith(compared.current_url.partition("#")[0])
    ]
    assert len(inside) == len(links) and all(all_of(compared, f"[id='{name}']") for name in inside)
    assert {"changed", "parameters", "numbers", "verdicts", "figure_08", "table_05"} <= set(inside)
    one(compared, "a[href='#figure_08']").send_keys(Keys.ENTER)
    assert compared.execute_script(
        "return document.querySelector('#figure_08').getBoundingClientRect().top < innerHeight"
    )


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_comparison_scrolls_sideways(compared, width):
    show(compared, width)
    assert not scrolls_sideways(compared)


def test_figures_of_a_comparison_stay_on_white_in_the_dark(compared):
    show(compared, 1280, dark=True)
    colour = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor"
    assert compared.execute_script(colour, "figure img") == "rgb(255, 255, 255)"
    assert compared.execute_script(colour, "body") == "rgb(20, 23, 26)"


@needs_axe
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_in_a_comparison(compared, width, dark):
    show(compared, width, dark=dark)
    check_with_axe(compared)
