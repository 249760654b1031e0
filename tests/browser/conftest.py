"""The browser that the tests of the pages share."""

import shutil
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest
from selenium import webdriver


@pytest.fixture(scope="session")
def browser(part_is_missing: Callable[[str], NoReturn]) -> Iterator[webdriver.Chrome]:
    """A Chromium without a network."""

    def program(*names: str) -> str:
        found = next((path for name in names if (path := shutil.which(name))), None)
        return found or part_is_missing(
            f"none of {', '.join(names)} is on PATH; on Debian: apt install chromium-driver"
        )

    options = webdriver.ChromeOptions()
    options.binary_location = program("chromium", "chromium-browser", "google-chrome")
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=program("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield driver
    driver.quit()
