"""How the language explorer keeps its promises here: first picture, frames while it trains, a whole path.

    python tests/benchmarks/language.py

Each number is the median of a few rounds; a frame as in ``playground.py``.
"""

from playground import medians, p95

from kdviz.commands.doctor import find_chromium
from kdviz.explorers.language_explorer import language_page

FIRST_PICTURE = """() => Math.max(
  ...performance.getEntriesByType("paint").map((paint) => paint.startTime))"""
# Counted from the press of Train until the path is walked.
PATH = """() => new Promise((done) => {
  const frames = [], work = [], began = performance.now();
  const real = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (draw) => real((now) => {
    const begin = performance.now();
    draw(now);
    work.push(performance.now() - begin);
  });
  let last = began;
  const tick = (now) => {
    frames.push(now - last);
    last = now;
    if (!document.querySelector(".read-out").textContent.startsWith("After 600")) real(tick);
    else done([frames.slice(1), work, (performance.now() - began) / 1000]);
  };
  [...document.querySelectorAll("button")].find((each) => each.textContent === "Train").click();
  real(tick);
})"""


def measure(browser, address):
    page = browser.new_page(viewport={"width": 1366, "height": 900})
    page.goto(address)
    page.locator(".texts li").first.wait_for()
    first = page.evaluate(FIRST_PICTURE)
    page.get_by_role("radio", name="the student", exact=True).click()
    page.locator(".read-out", has_text="Press Train").wait_for()
    frames, work, seconds = page.evaluate(PATH)
    page.close()
    return first, p95(frames), p95(work), seconds


def main():
    if find_chromium() is None:
        print("no Chromium was found; python -m kdviz doctor says how to get one")
        return
    first, frames, work, seconds = medians(language_page(), measure)
    print(f"first picture after {first:.0f} ms")
    print(f"while it trains: p95 frame {frames:.1f} ms, of which the page's own work {work:.1f} ms")
    print(f"a path on the student's own texts: {seconds:.1f} s")


if __name__ == "__main__":
    main()
