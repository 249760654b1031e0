"""Shows a page in a browser's window of some width, light or dark."""

from selenium import webdriver


def show(browser: webdriver.Chrome, uri: str, *, width_px: int, dark: bool) -> None:
    """Open ``uri``; narrow windows are a phone's."""
    metrics = {
        "width": width_px,
        "height": 900,
        "deviceScaleFactor": 1,
        "mobile": width_px < 500,
    }
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get(uri)
