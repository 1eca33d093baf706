"""The report page in a browser: accessible, searchable, harmless, and useful without scripts and on paper."""

import shutil
from pathlib import Path

import pytest
from npm import installed
from reporting import HOSTILE, fold, hostile, item, mixed, served, text
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from runner.model import Fault, State
from runner.records import Pulse

AXE = Path(__file__).parents[1] / "axe"
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
EVIL = "</script><script>window.evil=1</script><img src=x onerror='window.evil=1'>\u2028\"'`${window.evil=1}"
LISTED = "document.querySelector('#troubled details p').checkVisibility()"
PULSES = [Pulse("unpod-main", 0, 9, 5, 1, 90.0, 30.0), Pulse("other", 2, 4, 4, 0, 20.0, 9.0)]


class Browser:
    """Chromium with one page of a report at a time."""

    def __init__(self, folder):
        self.page = folder / "report.html"
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for each in (*QUIET, f"--user-data-dir={folder / 'profile'}"):
            options.add_argument(each)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))

    def show(self, made, *, width=1200, scheme="light", media="screen"):
        """Open the page of a report."""
        self.page.write_text(text(made, "html"))
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        self.driver.get(self.page.as_uri())

    def ask(self, script):
        """What a script of ours finds in the page."""
        return self.driver.execute_script(f"return {script}")

    def all(self, selector):
        """The elements that a selector fits."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        """The first of them."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def numbers(self):
        """The numbers that the table shows at the moment, and what it says of how many there are."""
        shown = self.ask("[...document.querySelectorAll('#body td:first-child')].map((cell) => cell.textContent)")
        return shown, self.one("#found").text

    def problems(self):
        """What the browser complained of: refused scripts, requests, errors."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """One browser for all of these tests."""
    missing = [tool for tool in ("chromium", "chromedriver") if not shutil.which(tool)]
    if missing:
        pytest.skip(f"the page is looked at in Chromium: {' and '.join(missing)} not found")
    opened = Browser(tmp_path_factory.mktemp("page"))
    yield opened
    opened.driver.quit()


@pytest.fixture(scope="module")
def axe(request):
    """The source of axe-core."""
    folder = installed(request, "axe", AXE)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def lanes():
    """Items of two accounts."""
    return *mixed(30).source.items_, item(account="other", target="x")


PAGES = {
    "failed": lambda: served(*lanes(), ending="stopped", pulses=PULSES, plan="version: 1\nname: sales-eu\n"),
    "clean": lambda: served(item(), pulses=PULSES[:1], sandbox=True),
    "dry": lambda: fold(item(State.PLANNED), dry_run=True),
    "blocked": lambda: fold(item(State.PLANNED), ending="blocked", notes=("guards.max_numbers is 1",)),
    "empty": fold,
    "hostile": hostile,
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(chromium, axe, name, scheme):
    """Names, roles, contrast, order and keyboard: the checks of axe-core find no fault in any kind of page."""
    chromium.show(PAGES[name](), scheme=scheme)
    chromium.driver.execute_script(axe)
    chromium.ask("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    found = chromium.driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    wrong = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]
    assert wrong == []
    assert len(found["passes"]) > 15
    assert chromium.problems() == []


def test_numbers_are_searched_filtered_sorted_and_turned_over(chromium):
    """What is typed and chosen narrows the table down; a heading sorts it, and again the other way round."""
    chromium.show(PAGES["failed"]())
    shown, found = chromium.numbers()
    assert (len(shown), found) == (100, "1 to 100 of 151")
    chromium.one("button[value=next]").click()
    shown, found = chromium.numbers()
    assert (len(shown), found) == (51, "101 to 151 of 151")
    assert [button.is_enabled() for button in chromium.all("nav button")] == [True, True, False, False]
    chromium.one("input[type=search]").send_keys("55500")
    assert chromium.numbers()[1] == "1 to 100 of 150"
    chromium.one("option[value=failed]").click()
    shown, found = chromium.numbers()
    assert (shown[0], found) == ("+14155550000", "1 to 30 of 30")
    number = chromium.one("#heads button")
    number.click()
    number.click()
    assert chromium.numbers()[0][0] == "+14155550029"
    assert chromium.one("#heads th").get_attribute("aria-sort") == "descending"
    chromium.one("option[value=other]").click()
    assert chromium.numbers() == ([], "No number fits.")


def test_search_finds_targets_and_reasons(chromium):
    """Not only numbers: where it was, and why it ended so."""
    chromium.show(PAGES["failed"]())
    search = chromium.one("input[type=search]")
    for words, found in (
        ("ANSWERED 500", "1 to 60 of 60"),
        ("sales-b", "1 to 100 of 150"),
        ("+14155550101", "1 to 1 of 1"),
    ):
        search.clear()
        search.send_keys(words)
        assert chromium.numbers()[1] == found


def test_the_table_works_by_keyboard(chromium):
    """Tab reaches search, choices, table, headings and pages, in this order, and Enter presses."""
    chromium.show(PAGES["failed"]())
    chromium.one("input[type=search]").click()
    reached = []
    for _ in range(4):
        reached.append(chromium.ask("document.activeElement.name || document.activeElement.getAttribute('role')"))
        chromium.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert reached == ["text", "outcome", "account", "region"]
    chromium.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert chromium.one("#heads th").get_attribute("aria-sort") == "ascending"


def test_a_hundred_thousand_numbers_are_a_page_as_any_other(chromium):
    """Only a hundred rows are there at once, the last number is found, and the file has some tens of bytes for each."""
    made = fold(*[item(number=f"+1212{index:07d}") for index in range(100_000)])
    chromium.show(made)
    assert chromium.numbers()[1] == "1 to 100 of 100,000"
    chromium.one("button[value=last]").click()
    assert chromium.numbers()[0][-1] == "+12120099999"
    assert len(chromium.all("tr")) < 120
    assert chromium.page.stat().st_size < 7_000_000


@pytest.mark.parametrize("evil", [EVIL, HOSTILE])
def test_nothing_from_a_plan_runs(chromium, evil):
    """Whatever others can write shows as text: it runs nothing, loads nothing, and the table is still there."""
    made = served(
        item(State.FAILED, number=evil, target=evil, account=evil, fault=Fault("refused", evil)),
        plan_name=evil,
        description=evil,
        metadata={evil: evil},
        notes=(evil,),
        reason=evil,
        plan_path=evil,
        version=evil,
        user=evil,
        pulses=[Pulse(evil, 0, 1, 1, 0, 1.0, 1.0)],
        plan=evil,
    )
    chromium.show(made)
    assert chromium.ask("window.evil ?? null") is None
    assert chromium.ask("performance.getEntriesByType('resource').length") == 0
    assert chromium.problems() == []
    assert [cell[:8] for cell in chromium.numbers()[0]] == [evil[:8]]
    assert evil[:20] in chromium.one("h1").text


@pytest.mark.parametrize("name", PAGES)
def test_a_narrow_page_scrolls_only_downwards(chromium, name):
    """On a telephone nothing sticks out; wide tables scroll by themselves."""
    chromium.show(PAGES[name](), width=375)
    assert chromium.ask("document.documentElement.scrollWidth") <= 375


def test_many_failures_leave_the_rest_in_sight(chromium):
    """However much has failed, its list takes less than a screen, and opens to every number."""
    failed = [item(State.FAILED, number=f"+1212{index:07d}", target=f"bridge-{index % 40}") for index in range(2000)]
    chromium.show(served(*failed, pulses=PULSES))
    assert chromium.one("#troubled").size["height"] < 900
    assert not chromium.ask(LISTED)
    chromium.one("#troubled summary").click()
    assert chromium.ask(LISTED)


def test_a_long_word_pushes_nothing_aside(chromium):
    """A message without a blank breaks, so that the numbers that it befell are still in sight."""
    chromium.show(fold(item(State.FAILED, fault=Fault("refused", "x" * 200))))
    for table in ("#troubled .wide", "#table .wide"):
        assert chromium.ask(f"document.querySelector('{table}').scrollWidth") <= 1200


def test_a_long_name_leaves_room_for_its_value(chromium):
    """On a telephone the values of metadata stay readable, however long the names are."""
    chromium.show(fold(item(), metadata={"the owner of all that has ever been attached": "voice-platform"}), width=360)
    assert chromium.one("#plan dd").size["width"] > 150


def test_paper_has_all_failures_and_no_controls(chromium):
    """In print the table of numbers is gone, every failure is there, and dark is light."""
    made = fold(*[item(State.FAILED, number=f"+1212{index:07d}") for index in range(500)])
    chromium.show(made, scheme="dark", media="print")
    listed = chromium.one("#troubled details p").get_attribute("textContent")
    assert listed.split() == [f"+1212{index:07d}" for index in range(500)]
    assert chromium.ask(LISTED)
    assert not chromium.one("form").is_displayed()
    assert chromium.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_without_scripts_the_page_still_tells(chromium):
    """Verdict, counts, charts, lanes and failures stand; for the numbers it points to report.json."""
    chromium.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        chromium.show(PAGES["failed"]())
        page = chromium.one("body").text
    finally:
        chromium.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    for words in ("Aborted part-way", "30\nfailed", "All 30", "unpod-main", "report.json has them all"):
        assert words in page
    assert "Search" not in page
