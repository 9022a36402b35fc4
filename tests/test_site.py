"""The site that `make docs` makes: without a warning, every page in its navigation, every link inside of it resolved."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

import run_search

ROOT = Path(run_search.__file__).parent


class Page(HTMLParser):
    """What a page links to, shows, and can be linked to by."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = {"", "_top"}
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            elif name == "id" and value:
                self.names.add(value)


def build(source: Path, site: Path) -> subprocess.CompletedProcess:
    """Run the command of `make docs`."""
    recipe = re.search(r"bin/python (-m sphinx .*)", (ROOT / "Makefile").read_text("utf-8"))
    assert recipe, "no target docs in the Makefile"
    words = recipe[1].split()
    assert words[-2:] == [".", "build/site"] and "-W" in words
    words[-2:] = [str(source), str(site)]
    words[words.index("-d") + 1] = str(site.with_name(f"{site.name}-doctrees"))
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    result = build(ROOT, folder)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def test_every_page_is_in_the_navigation(site: Path, pages: dict[Path, Page]) -> None:
    written = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*.ipynb")]
    named = re.findall(
        r'<li class="toctree-l1[^"]*"><a [^>]*href="([^"#]+)"', pages[site / "index.html"].text
    )
    expected = {f"docs/{path.stem}.html" for path in written} | {"CONTRIBUTING.html", "CHANGELOG.html"}
    assert len(expected) > 12 and set(named) == expected


def test_every_link_inside_resolves(site: Path, pages: dict[Path, Page]) -> None:
    followed, broken = 0, []
    for path, page in pages.items():
        for link in page.links:
            if urlsplit(link).scheme or link.startswith("//"):
                continue
            place, name = urldefrag(link)
            target = (path.parent / unquote(urlsplit(place).path)).resolve() if place else path
            whole = target.is_file() and (target.suffix != ".html" or unquote(name) in pages[target].names)
            followed += 1
            if not whole:
                broken.append(f"{path.relative_to(site)}: {link}")
    assert followed > 500 and not broken


def test_links_to_markdown_are_links_to_pages(site: Path, pages: dict[Path, Page]) -> None:
    assert "docs/results.html#on-a-gpu" in pages[site / "README.html"].links
    assert not [link for page in pages.values() for link in page.links if link.endswith(".md")]


def test_the_front_door_is_described(site: Path, pages: dict[Path, Page]) -> None:
    page = pages[site / "docs" / "api.html"]
    for name in ("search.tune", "search.Study.open", "search.SearchCallback", "search.OptunaOracle"):
        assert name in page.names
    for name in (
        "spaces.SPACES",
        "models.recipe.Recipe",
        "ferplus_data.dataset.load_dataset",
        "reports.WRITERS",
    ):
        assert name in page.names
    # A colon in the docstring of a property would make a type of what stands before it.
    assert not re.search(r"<dt[^>]*>Type<", page.text)
    assert "`" not in re.sub(r"<pre>.*?</pre>|<script.*?</script>", "", page.text, flags=re.DOTALL)


def test_the_tour_is_shown_and_not_run(site: Path, pages: dict[Path, Page]) -> None:
    page = pages[site / "docs" / "tour.html"]
    assert "cell_input" in page.text and "cell_output" not in page.text


def test_a_page_that_the_navigation_does_not_name_ends_the_build(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "docs").mkdir(parents=True)
    for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md"):
        (source / name).write_text(f"# {name}\n")
    for path in [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*.ipynb")]:
        (source / "docs" / path.with_suffix(".md").name).write_text(f"# {path.stem}\n")
    assert (result := build(source, tmp_path / "one")).returncode == 0, result.stderr
    (source / "docs" / "new.md").write_text("# New\n")
    result = build(source, tmp_path / "other")
    assert result.returncode == 1 and "new.md" in result.stderr
