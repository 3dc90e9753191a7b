"""How the playground keeps its promises on this machine: first picture, frames while it trains, 30 seeds.

    python tests/benchmarks/playground.py

A frame is the time between two of the browser's animation frames; beside it stands the page's own work
in a frame, which does not depend on the screen. Medians of a few rounds.
"""

import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from kdviz.commands.doctor import find_chromium
from kdviz.explorers.playground_explorer import playground_page

ROUNDS = 5
FIRST_PICTURE = """() => Math.max(
  ...performance.getEntriesByType("paint").map((paint) => paint.startTime),
  ...performance.getEntriesByName("kdviz-first-picture").map((mark) => mark.startTime))"""
# Counted from the press of Play until the students have finished.
FRAMES = """() => new Promise((done) => {
  const frames = [], work = [];
  const real = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (draw) => real((now) => {
    const begin = performance.now();
    draw(now);
    work.push(performance.now() - begin);
  });
  let last = performance.now();
  const tick = (now) => {
    frames.push(now - last);
    last = now;
    if (document.querySelector(".status").textContent.startsWith("Finished")) done([frames.slice(1), work]);
    else real(tick);
  };
  document.querySelector(".play").click();
  real(tick);
})"""


def p95(values):
    return statistics.quantiles(values, n=20)[-1]


def measure(browser, address):
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.goto(f"{address}#story=few-labels")
    page.locator(".stage svg").wait_for()
    first = page.evaluate(FIRST_PICTURE)
    frames, work = page.evaluate(FRAMES)
    page.get_by_role("button", name="Run 30 seeds", exact=True).click()
    page.locator(".seeds .caption", has_text="Done in").wait_for(timeout=120_000)
    seconds = float(page.locator(".seeds .caption").inner_text().split()[2])
    page.close()
    return first, p95(frames), p95(work), seconds


def medians(text, measure):
    """The medians of what ``measure(browser, address)`` finds on a page, in a few rounds; tells its size."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        place = Path(folder) / "page.html"
        place.write_text(text, encoding="utf-8")
        print(f"the page: {place.stat().st_size / 1000:.0f} kB")
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        found = zip(*(measure(browser, place.as_uri()) for _ in range(ROUNDS)), strict=True)
        found = [*map(statistics.median, found)]
        browser.close()
    return found


def main():
    if find_chromium() is None:
        print("no Chromium was found; python -m kdviz doctor says how to get one")
        return
    first, frames, work, seconds = medians(playground_page(), measure)
    print(f"first picture after {first:.0f} ms")
    print(f"while both students train: p95 frame {frames:.1f} ms, of which the page's own work {work:.1f} ms")
    print(f"30 seed pairs of the few-label story: {seconds:.0f} s")


if __name__ == "__main__":
    main()
