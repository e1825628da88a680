"""The page in a browser: nothing is asked of any network, every picture decodes, columns sort, filters hide."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from stc_core.convert.report.page import write_report
from stc_core.convert.store.local_store import LocalStore
from tests.convert.report import sample_job_folder as shown

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="apt-get install chromium chromium-driver")

QUIET = ("gpu", "quic", "background-networking", "component-update", "sync", "dev-shm-usage")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("profile")
    for flag in ("headless", "no-sandbox", "no-first-run", f"user-data-dir={profile}", "window-size=1400,1200"):
        options.add_argument(f"--{flag}")
    for flag in QUIET:
        options.add_argument(f"--disable-{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    driver.set_page_load_timeout(30)
    driver.set_script_timeout(30)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out, clips = shown.folder(tmp_path_factory.mktemp("shown"))
    with LocalStore(out).lock():
        return write_report(LocalStore(out), clips, {})


@pytest.fixture
def page(browser: Any, path: Path) -> Any:
    browser.get_log("performance")  # of the page before
    browser.get(path.as_uri())
    return browser


def names(page: Any) -> list[str]:
    """The clips that are seen, from above to below."""
    script = "return [...document.querySelectorAll('tbody')].filter(b => b.offsetHeight).map(b => b.dataset.name)"
    return list(page.execute_script(script))


def click(page: Any, selector: str) -> None:
    page.find_element("css selector", selector).click()


def requests(page: Any) -> list[str]:
    """Every address that the browser asked for."""
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
    return [params["request"]["url"] for params in sent]


def test_it_asks_for_itself_only_and_complains_of_nothing(page: Any, path: Path) -> None:
    asked = requests(page)
    assert {url for url in asked if not url.startswith("data:")} == {path.as_uri()}
    assert page.get_log("browser") == []


def test_the_log_would_show_a_request_and_an_error(browser: Any, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<!DOCTYPE html><img src='lost.webp'><script>lost()</script>")
    browser.get_log("performance")
    browser.get(bad.as_uri())
    assert (tmp_path / "lost.webp").as_uri() in requests(browser)
    assert len(browser.get_log("browser")) >= 1


def test_every_picture_decodes(page: Any) -> None:
    script = """
        const [done] = arguments, images = [...document.images];
        Promise.all(images.map(image => image.decode()))
          .then(() => done(images.map(image => [image.className, image.naturalWidth])), error => done(String(error)));
    """
    widths = page.execute_async_script(script)
    assert isinstance(widths, list), widths
    pictures = len(shown.ORDER) - 2 + 1  # two have none, one has two takes
    assert [kind for kind, _ in widths].count("loop") == [kind for kind, _ in widths].count("strip") == pictures
    assert all(width >= 180 for _, width in widths)


def test_a_click_sorts_and_another_turns_it_round(page: Any) -> None:
    assert names(page) == shown.ORDER
    click(page, "[data-by=jitter] button")
    assert names(page)[:2] == ["shaky", "slides"] and set(names(page)[-2:]) == {
        "bad",
        "later",
    }  # without a figure: last
    click(page, "[data-by=jitter] button")
    assert names(page)[0] == "fine" and names(page)[-3] == "shaky"
    heads = page.find_elements("css selector", "th[aria-sort]")
    assert [(head.get_attribute("data-by"), head.get_attribute("aria-sort")) for head in heads] == [
        ("jitter", "ascending")
    ]
    click(page, "[data-by=confidence] button")
    assert names(page)[0] == "shaky" and names(page)[-3] == "fine"
    click(page, "[data-by=name] button")
    assert names(page) == ["bad", "cuts", "fine", "later", "shaky", "slides", shown.ODD]
    click(page, "[data-by=severity] button")
    assert names(page) == shown.ORDER


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("warned", ["shaky", "cuts", shown.ODD]),
        ("failed", ["bad"]),
        ("waiting", ["later"]),
        ("kind swap", ["shaky", shown.ODD]),
        ("kind moon & stars", [shown.ODD]),
    ],
)
def test_a_filter_leaves_what_it_names(page: Any, value: str, left: list[str]) -> None:
    click(page, f"label:has([value='{value}'])")
    assert names(page) == left
    click(page, "label:has([value=all])")
    assert names(page) == shown.ORDER


def test_a_part_of_a_name_finds_it(page: Any) -> None:
    page.find_element("id", "find").send_keys("歩く")
    assert names(page) == [shown.ODD]


def test_a_dot_of_the_plot_leads_to_its_row(page: Any) -> None:
    number = shown.ORDER.index("slides") + 1
    page.find_element("css selector", f".overview a[*|href='#clip-{number}'] > *").click()
    assert page.execute_script("return document.querySelector('tbody:target').dataset.name") == "slides"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_it_fits_its_window_and_can_be_read_by_day_and_night(page: Any, scheme: str, width: int) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    root = "document.documentElement"
    assert page.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth && innerWidth === {width}")
    dark = [sum(colour(page, selector)) < 3 * 128 for selector in ("body", ".legend")]
    assert dark == ([True, False] if scheme == "dark" else [False, True])
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def colour(page: Any, selector: str) -> list[int]:
    """The paper's colour of the body, or the letters' of another element."""
    what = "backgroundColor" if selector == "body" else "color"
    text = page.execute_script(f"return getComputedStyle(document.querySelector('{selector}')).{what}")
    return [int(part) for part in text[text.index("(") + 1 : -1].split(",")[:3]]


def test_links_lead_where_the_files_are(page: Any, path: Path) -> None:
    addresses = page.execute_script("return [...document.querySelectorAll('tbody a')].map(a => a.href)")
    files = [Path(url2pathname(urlsplit(address).path)) for address in addresses]
    assert all(file.is_file() for file in files) and path.parent / f"{shown.ODD}.bvh" in files
