"""Draws pictures for README.md from a finished study: docs/report.png, its report in a browser, and
docs/terminal.svg, what a terminal said. They are of drawn faces where the study is:

    python run_search.py search | tee said.txt
    python docs/make_pictures.py runs/demo said.txt
"""

from __future__ import annotations

import io
import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).resolve().parent
LINES, COLUMNS = 24, 118


def report_picture(report: Path, picture: Path) -> None:
    """Write the first screen of `report` at 1,400 pixels to `picture`."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        page.wait_for_timeout(2000)
        page.screenshot(path=picture)
        browser.close()


def terminal_picture(said: str, picture: Path) -> None:
    """Write the first `LINES` lines of `said` as a terminal would show them; epochs are left out for the trials to be seen."""
    lines = [line for line in said.splitlines() if not line.startswith("  ")]
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text("$ python run_search.py search", style="bold"))
    for line in lines[:LINES]:
        console.print(Text(line), soft_wrap=False)
    drawn = console.export_svg(title="FERPlus Tuner")
    # Rich names a font on the web; a picture of this repository asks no host for anything.
    picture.write_text(re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    folder, said = Path(sys.argv[1]), Path(sys.argv[2]).read_text(encoding="utf-8")
    report_picture(folder / "report.html", DOCS / "report.png")
    terminal_picture(said, DOCS / "terminal.svg")
