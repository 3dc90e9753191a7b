"""What the tests of the explorers share: how an explorer is opened in a browser, and its module."""

import json
from base64 import b64encode

import pytest

from kdviz.explorers import base

HEAD = "<!doctype html><meta charset='utf-8'><body style='margin: 0'>"


@pytest.fixture
def page(offline):
    """Open the static twins of explorers as a page of their own."""

    def open_page(*shown, **size):
        return offline(HEAD + "\n".join(each.static_html() for each in shown), **size)

    return open_page


@pytest.fixture
def live(offline):
    """Open an explorer with its `model` and the `close` of its view at hand: the test is the kernel.

    `heard` holds what the explorer does at each event.
    """

    def open_page(shown, **size):
        # The state of a live widget, which may differ from that of its static twin.
        state = json.dumps(base.Explorer.static_state(shown), allow_nan=False)
        module = shown._esm.replace("export default", "const module =")
        script = (
            f"{module}\n{base.HOST}\nconst model = new StaticModel({state});"
            "const heard = {}, on = model.on.bind(model);"
            "model.on = (event, act) => { heard[event] = act; on(event, act); };"
            "module.initialize?.({model});"
            "const place = document.querySelector('#place');"
            "Object.assign(window, {model, heard, close: module.render({model, el: place})});"
        )
        return offline(
            f"{HEAD}<style>{shown._css}</style><div id='place'></div><script type='module'>{script}</script>",
            **size,
        )

    return open_page


@pytest.fixture(scope="session")
def module_url():
    """The address from which a page can import the module of an explorer, as it is sent."""
    return lambda explorer: "data:text/javascript;base64," + b64encode(str(explorer._esm).encode()).decode()


# What the page does once the first slider has gone through some places within one frame, until it rests:
# strokes on canvases, elements made, changes to the document.
WORK = """async (places) => {
  const work = { strokes: 0, made: 0, changes: 0 }, undo = [];
  const count = (owner, name, what) => {
    const own = owner[name];
    owner[name] = function (...given) {
      work[what] += 1;
      return own.apply(this, given);
    };
    undo.push(() => { owner[name] = own; });
  };
  const brush = CanvasRenderingContext2D.prototype;
  const strokes = ["moveTo", "lineTo", "arc", "rect", "strokeRect", "fillRect", "fillText", "drawImage"];
  for (const name of strokes) count(brush, name, "strokes");
  for (const name of ["createElement", "createElementNS"]) count(document, name, "made");
  const watch = new MutationObserver((seen) => { work.changes += seen.length; });
  watch.observe(document.body, { subtree: true, attributes: true, childList: true, characterData: true });
  const slider = document.querySelector("input[type=range]");
  for (const place of places) {
    slider.value = place;
    slider.dispatchEvent(new Event("input"));
  }
  let before;
  do {
    before = JSON.stringify(work);
    // However slow the machine is: a frame has come, and nothing was done since for a while.
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    await new Promise((done) => setTimeout(done, 400));
  } while (JSON.stringify(work) !== before);
  watch.disconnect();
  for (const each of undo) each();
  return work;
}"""


@pytest.fixture(scope="session")
def work_of():
    return lambda page, places: page.evaluate(WORK, places)
