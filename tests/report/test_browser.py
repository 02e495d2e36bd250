"""The pages in Chromium, opened from disk: light, dark and at a phone's width, nothing overlaps or is cut."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ravdess.report.board import board
from ravdess.report.read import finished_runs, read_run
from ravdess.report.scoreboard import scoreboard_page
from storage import Store

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium")

CUT = """() => {
  const found = [];
  for (const svg of document.querySelectorAll('svg')) {
    const box = svg.getBoundingClientRect();
    if (!box.width) continue;
    const words = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
    for (const [said, at] of words)
      if (at.left < box.left - 1 || at.right > box.right + 1 || at.top < box.top - 1 || at.bottom > box.bottom + 1)
        found.push(`cut: ${said} in ${svg.getAttribute('aria-label')}`);
    for (const [a, one] of words.entries())
      for (const [, two] of words.slice(a + 1).entries())
        if (Math.min(one[1].right, two[1].right) - Math.max(one[1].left, two[1].left) > 2 &&
            Math.min(one[1].bottom, two[1].bottom) - Math.max(one[1].top, two[1].top) > 4)
          found.push(`overlap: ${one[0]} and ${two[0]} in ${svg.getAttribute('aria-label')}`);
  }
  return found;
}"""
FAINT = """() => {
  const levels = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = colour => levels(colour).map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [.2126, .7152, .0722][at], 0);
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const plain = colour => {
    canvas.fillStyle = '#000'; canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return 'rgb(' + canvas.getImageData(0, 0, 1, 1).data.slice(0, 3).join(',') + ')';
  };
  const page = getComputedStyle(document.body).backgroundColor;
  const least = {};
  const pairs = [...document.querySelectorAll('td, th, p, caption, figcaption, svg text, a, summary')].map(one => {
    const style = getComputedStyle(one), own = style.backgroundColor;
    return [one.tagName, one.namespaceURI.endsWith('svg') ? style.fill : style.color, /, 0\\)$/.test(own) ? page : own];
  });
  for (const [name, front, back] of pairs) {
    const [a, b] = [light(plain(front)), light(plain(back))].sort((x, y) => y - x);
    const contrast = (a + .05) / (b + .05);
    if (contrast < (least[name] ?? 99)) least[name] = contrast;
  }
  return least;
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(shelf: Store, whole: str, out: Path) -> list[Path]:
    made = {
        "report": whole,
        "scoreboard": scoreboard_page(board([read_run(shelf, one) for one in finished_runs(shelf)]), "s"),
    }
    paths = [out / f"{name}-seen.html" for name in made]
    for path, page in zip(paths, made.values(), strict=True):
        path.write_text(page)
    return paths


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_nothing_is_cut_overlaps_or_is_faint(chromium: Any, pages: list[Path], width: int, scheme: str) -> None:
    for path in pages:
        page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        said: list[str] = []
        page.on("console", lambda told, said=said: said.append(told.text))
        page.on("request", lambda asked, said=said: asked.url.startswith(("file:", "data:")) or said.append(asked.url))
        page.goto(path.as_uri())
        assert page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)") is None
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CUT) == []
        least = page.evaluate(FAINT)
        assert min(least.values()) >= 4.5, least  # WCAG 2.2, 1.4.3
        assert said == []
        page.close()


def test_it_prints_unfolded_and_can_be_walked_by_keyboard(chromium: Any, pages: list[Path]) -> None:
    page = chromium.new_page(color_scheme="dark")
    page.goto(pages[0].as_uri())
    page.emulate_media(media="print")
    heights = page.evaluate(
        "[...document.querySelectorAll('details > *:not(summary)')].map(one => one.getBoundingClientRect().height)"
    )
    assert heights
    assert min(heights) > 0
    page.emulate_media(media="screen")
    reached = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName + '.' + document.activeElement.className"))
    assert {"A.skip", "A.", "DIV.wide"} <= reached
    page.close()
