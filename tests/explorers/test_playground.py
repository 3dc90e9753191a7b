"""The playground as a reader meets it: one file, no kernel, no network."""

import json
import re

import pytest

from kdviz import explorers
from kdviz.explorers import base
from kdviz.explorers.playground_explorer import (
    DEFAULTS,
    PARTS,
    STOPS,
    STORIES,
    playground,
    playground_page,
    story_settings,
)


def test_the_page_is_one_small_file():
    page = playground_page()
    assert len(page.encode()) <= 600_000
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert not re.search(r'(src|href)="', page)


def test_what_the_workers_run_is_a_plain_script():
    work = json.loads(re.search(r"^const WORKER_SOURCE = (.*);$", explorers.Playground._esm, re.MULTILINE)[1])
    assert not re.search(r"^(export|import)\b", work, re.MULTILINE)
    assert "function serve(" in work and "function lossAndGradient(" in work and "document" not in work


def test_begins_with_a_story_or_with_ones_own_settings():
    assert playground().settings == DEFAULTS
    assert playground("missing-3", temperature=4).settings == {
        **story_settings("missing-3"),
        "temperature": 4,
    }
    assert playground(None, labels=100, hide=["draw"]).settings["labels"] == 100
    assert "labels=100" in repr(playground(None, labels=100))
    assert json.dumps(playground().static_state(), allow_nan=False)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"labels": 33}, "labels must be one of 10, 20, 30"),
        ({"temperature": 0}, "temperature must be one of 0.5, 1"),
        ({"label_noise": 0.1}, "label_noise must be one of 0.0, 0.2"),
        ({"permuted": 1}, "permuted must be one of False, True"),
        ({"omit": "three"}, "omit must be one of None, 0, 1"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"depth": 2}, "missing or not known: \\['depth'\\]"),
        ({"controls": ["depth"]}, "controls must be a list of settings: labels, temperature"),
        ({"controls": "labels"}, "controls must be a list of settings: labels, temperature"),
        ({"story": "the end"}, "story must be one of few-labels"),
        ({"hide": ["everything"]}, "hide must name parts of the playground: stories"),
    ],
)
def test_bad_input_is_told_what_was_expected(wrong, message):
    with pytest.raises(ValueError, match=message):
        playground(**wrong)


def test_settings_are_checked_whenever_they_change():
    explorer = playground()
    with pytest.raises(ValueError, match="width must be one of 4, 8"):
        explorer.settings = {**DEFAULTS, "width": 5}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    place = tmp_path_factory.mktemp("page") / "playground.html"
    place.write_text(playground_page(), encoding="utf-8")
    return place.as_uri()


class Reader:
    """Somebody with the page open."""

    def __init__(self, page):
        self.page = page

    def open(self, address):
        """Without an address of a state: a story at its beginning, which does not play by itself."""
        # A new page first, so that the same file with another address is loaded anew.
        self.page.goto("about:blank")
        self.page.goto(address if "#" in address else f"{address}#story=few-labels")
        self.page.locator(".kdviz-playground .counter", has_text="step").wait_for()
        return self

    @property
    def status(self):
        return self.page.locator(".status").inner_text()

    @property
    def place(self):
        return self.page.locator(".path [aria-current=step]").inner_text()

    @property
    def main(self):
        """The buttons that stand out."""
        return self.page.locator("button:visible").evaluate_all(
            """(all) => all.filter((one) => getComputedStyle(one).backgroundColor === "rgb(0, 114, 178)")
              .map((one) => one.textContent)"""
        )

    @property
    def step(self):
        return int(re.search(r"\d+", self.page.locator(".counter").inner_text())[0])

    def button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def control(self, label):
        return self.page.get_by_label(label, exact=True)

    def wait(self, text, part=".status"):
        self.page.locator(part, has_text=text).wait_for(timeout=60_000)

    def tab(self, name):
        self.page.get_by_role("tab", name=name, exact=True).click()

    def fast(self):
        self.control("Speed").select_option("fast")
        return self

    def picture(self, part):
        return self.page.locator(part).first.evaluate("(place) => place.outerHTML")

    def seen(self):
        """What is drawn and told: curves, bars, accuracies, and what the controls show."""
        controls = self.page.locator("[data-control]").evaluate_all(
            "(all) => all.map((one) => [one.dataset.control, one.checked ? 'on' : one.value])"
        )
        parts = [self.picture(f"{part} svg") for part in (".curves", ".stage")]
        return dict(controls), self.step, self.page.locator(".curves .caption").inner_text(), parts

    def link(self):
        return self.page.get_by_label("Link to this state").input_value()


@pytest.fixture
def context(browser):
    """A browser that may open files only; any request and any error of a page fails the test."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, offline=True)
    asked, said = [], []
    context.on("request", lambda r: asked.append(r.url))

    def hear(page):
        page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))

    context.on("page", hear)
    yield context
    context.close()
    assert [
        url for url in asked if not re.match(r"(file:.*/(playground|notebook)\.html|blob:|about:)", url)
    ] == []
    assert said == []


@pytest.fixture
def reader(context, page_file):
    reader = Reader(context.new_page())
    reader.file = page_file
    return reader.open(page_file)


@pytest.mark.browser
def test_is_meaningful_before_the_first_click(reader):
    assert "Press Play" in reader.status and reader.step == 0
    assert "Both start with the same weights" in reader.page.locator(".curves .caption").inner_text()
    assert reader.page.locator(".question").inner_text() == STORIES[0]["question"]
    assert "The teacher says, at T = 4, 8 (" in reader.page.locator(".stage .caption").inner_text()
    assert reader.page.locator(".stories button").count() == len(STORIES)


@pytest.mark.browser
@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_the_page_opens_with_a_run_that_nobody_asked_for(reader, motion):
    reader.page.emulate_media(reduced_motion=motion)
    reader.open(f"{reader.file}#").wait("Finished.")
    assert "In this run the distilled student ends" in reader.page.locator(".reply").inner_text()
    reader.button("Was it luck? Run 30 seeds").wait_for()
    reader.wait("step 600 of", ".counter")
    assert reader.page.locator(".curves .stop").count() == 1


@pytest.mark.browser
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story["name"])
def test_a_story_asks_plays_and_answers(reader, story):
    reader.fast().button(story["title"]).click()
    assert "What do you expect?" in reader.status and reader.step == 0
    assert reader.page.locator(".question").inner_text() == story["question"]
    assert reader.place == "Guess"
    reader.button("worse").click()
    assert "You expect: worse." in reader.page.locator(".reply").inner_text() and reader.place == "Run"
    reader.wait("Finished.")
    reader.wait("Verdict", "[aria-current]")
    reply = reader.page.locator(".reply").inner_text()
    soft, hard, stopped = (float(share) for share in re.findall(r"([\d.]+) %", reply))
    came = outcome(soft, hard)
    rightly = "right" if came == "worse" else "wrong"
    assert reply.startswith(
        f"Your guess, worse, was {rightly}. In this run the distilled student ends {came} on "
    )
    beside = outcome(soft, stopped)
    assert reply.endswith(f", it is {beside}{' too' if beside == came else ''}.")
    # The step is the one that is marked on the curve and told below it.
    mark = reader.page.locator(".curves .stop title").text_content()
    step = int(re.search(r"stopped at its best step, (\d+) ", reply)[1])
    assert mark.startswith(f"label-only student, best validation step {step}: ")
    assert f"validation images, {step}." in reader.page.locator(".curves .caption").inner_text()
    if story["measure"] == "recall":
        assert hard == 0 and soft > 40
        assert "Test image" in reader.page.locator(".stage .caption").inner_text()
        reader.tab("Digit by digit")
        assert "no 3" in reader.page.locator(".classes svg").text_content()
    else:
        assert mark.endswith(f": {stopped:.1f} %")
    # What a reader subtracts is what stands there, once and in large figures.
    score = reader.page.locator(".score").inner_text().replace("−", "-")
    gains = [float(gain) for gain in re.findall(r"[+-]?\d+\.\d", score)]
    assert gains == pytest.approx([soft - hard, soft - stopped], abs=1e-6)
    assert "points" not in reply


def outcome(soft, rival):
    return "better" if soft - rival > 1 + 1e-9 else "worse" if soft - rival < -1 - 1e-9 else "about the same"


@pytest.mark.browser
def test_a_story_is_a_path_that_leads_to_the_next(reader):
    # With smaller students that learn faster.
    reader.open(f"{reader.file}#story=few-labels&labels=10&width=4").fast()
    assert reader.main == []
    reader.button("better").click()
    reader.wait("Finished.")
    reader.button("Was it luck? Run 30 seeds").click()
    reader.wait("Was it luck?", "[aria-current]")
    assert reader.main == ["Stop"]
    reader.wait("Done in", ".seeds .caption")
    assert reader.page.locator(".seeds svg circle title").count() == 60
    reader.button("Why?").click()
    assert reader.place == "Why" and reader.main == ["Next: The missing 3"]
    reader.button("Next: The missing 3").click()
    assert reader.place == "Guess" and reader.page.locator(".question").inner_text() == STORIES[1]["question"]


@pytest.mark.browser
def test_why_is_told_after_the_verdict_and_only_of_the_storys_own_settings(reader):
    reader.fast().open(f"{reader.file}#story=noisy-labels&label_noise=0.6&labels=1200&width=64&hide=seeds")
    reader.fast().button("worse").click()
    reader.wait("Finished.")
    assert STORIES[2]["why"] not in reader.page.locator(".reply").inner_text()
    reader.button("Why?").click()
    assert reader.page.locator(".reply").inner_text().endswith(STORIES[2]["why"])
    reader.control("Temperature T").press("ArrowRight")
    assert STORIES[2]["why"] not in reader.page.locator(".reply").inner_text()


@pytest.mark.browser
def test_play_pause_step_and_reset_by_keyboard(reader):
    reader.page.locator("body").click(position={"x": 5, "y": 5})
    reader.page.keyboard.press("ArrowRight")
    reader.wait("step 5 of", ".counter")
    reader.page.keyboard.press("Space")
    reader.wait("They learn.")
    reader.page.wait_for_timeout(300)
    reader.page.keyboard.press("Space")
    reader.wait("Paused at step")
    # The buttons and the counter are drawn with the next frame.
    reader.button("Play").wait_for()
    stopped = reader.step
    assert 5 < stopped < 600
    reader.page.wait_for_timeout(200)
    assert reader.step == stopped
    reader.page.keyboard.press("r")
    reader.wait("Back to step 0")
    assert reader.step == 0


@pytest.mark.browser
@pytest.mark.parametrize(
    ("label", "key", "told"),
    [
        ("Labelled images", "ArrowRight", "Labelled images is now 30: back to step 0, paused."),
        ("Student width", "ArrowRight", "Student width is now 32: back to step 0, paused."),
        ("Unlabelled images too", "Space", "Unlabelled images too is now on: back to step 0, paused."),
        ("Wrong labels", "ArrowDown", "Wrong labels is now 20 %: back to step 0, paused."),
        ("Digit left out", "ArrowDown", "Digit left out is now 0: back to step 0, paused."),
        ("Teacher stopped early", "Space", "Teacher stopped early is now on: back to step 0, paused."),
        ("Permuted dark knowledge", "Space", "Permuted dark knowledge is now on: back to step 0, paused."),
        ("Seed", "ArrowUp", "Seed is now 1: back to step 0, paused."),
        ("Temperature T", "ArrowRight", "Temperature T is now 5; the students go on with it."),
        (
            "Weight of the teacher",
            "ArrowLeft",
            "Weight of the teacher is now 0.85; the students go on with it.",
        ),
        ("Learning rate", "ArrowDown", "Learning rate is now 0.01; the students go on with it."),
    ],
)
def test_each_control_by_keyboard(reader, label, key, told):
    live = "go on" in told
    for _ in range(4):
        reader.button("Step").click()
    reader.wait("step 20 of", ".counter")
    reader.page.locator(".more summary").click()
    before = reader.link()
    reader.control(label).focus()
    reader.page.keyboard.press(key)
    if label in ("Seed",):
        reader.page.keyboard.press("Tab")
    reader.wait(told)
    reader.page.wait_for_timeout(100)
    assert reader.step == (20 if live else 0)
    assert reader.link() != before
    if not live:
        assert re.findall("[ML]", reader.picture(".curves path[stroke-dasharray]")) == ["M"]
    ended = []
    reader.fast().button("Play").click()
    reader.wait("Finished.")
    ended.append(reader.picture(".curves"))
    reader.open(before).fast().button("Play").click()
    reader.wait("Finished.")
    ended.append(reader.picture(".curves"))
    assert ended[0] != ended[1], "the control changed nothing"


@pytest.mark.browser
def test_its_own_link_leads_back_to_the_same_state_and_accuracies(reader):
    reader.page.locator(".more summary").click()
    reader.control("Labelled images").press("ArrowRight")
    reader.control("Seed").fill("7")
    reader.control("Seed").press("Enter")
    for _ in range(6):
        reader.button("Step").click()
    reader.wait("step 30 of", ".counter")
    reader.control("Temperature T").press("End")
    for _ in range(4):
        reader.button("Step").click()
    reader.wait("step 50 of", ".counter")
    reader.control("Weight of the teacher").press("Home")
    reader.control("Learning rate").select_option("0.01")
    reader.page.wait_for_timeout(200)
    reader.tab("Images")
    reader.page.locator(".images canvas").last.press("ArrowRight")
    reader.page.wait_for_timeout(500)
    half_way, link = reader.seen(), reader.link()
    assert (
        reader.page.url == link and "seed=7" in link and "step=50" in link and "30%7Etemperature%7E20" in link
    )
    reader.fast().button("Play").click()
    reader.wait("Finished.")
    finished, last = reader.seen(), reader.link()

    reader.open(link).wait("Paused at step 50")
    reader.page.wait_for_timeout(200)
    assert reader.seen() == half_way
    reader.fast().button("Play").click()
    reader.wait("Finished.")
    assert reader.seen() == finished
    reader.open(last).wait("Finished.")
    reader.page.wait_for_timeout(200)
    assert reader.seen() == finished


@pytest.mark.browser
def test_a_link_in_the_same_tab_and_a_wrong_one(reader):
    reader.page.evaluate("location.hash = 'labels=200&story=all-labels&step=10'")
    reader.wait("step 10 of", ".counter")
    assert reader.control("Labelled images").get_attribute("aria-valuetext") == "200"
    assert "(You have changed its settings.)" in reader.page.locator(".question").inner_text()
    reader.open(f"{reader.file}#labels=7&step=-2&changes=9~depth~3&hide=draw.seeds&seed=12")
    reader.wait("The link holds what cannot be used: labels=7, step=-2, changes=9~depth~3.")
    assert reader.control("Labelled images").get_attribute("aria-valuetext") == "20"
    assert reader.page.locator(".draw, .seeds").count() == 0 and "seed=12" in reader.link()


@pytest.mark.browser
def test_the_link_is_copied(context, reader):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    reader.button("Copy link").click()
    reader.wait("The link is copied.")
    assert reader.page.evaluate("navigator.clipboard.readText()") == reader.link()


@pytest.mark.browser
def test_thirty_seeds_show_progress_and_stop(reader):
    run = reader.button("Run 30 seeds")
    run.click()
    reader.wait("of 30 seeds.", ".seeds .caption")
    reader.button("Stop").click()
    reader.wait("Stopped.", ".seeds .caption")
    reader.wait("Stopped.")
    told = reader.page.locator(".seeds .caption").inner_text()
    assert run.is_visible()
    reader.page.wait_for_timeout(300)
    assert reader.page.locator(".seeds .caption").inner_text() == told
    dots = reader.page.locator(".seeds svg rect:not([fill=none])").count()
    assert 1 <= dots < 30
    reader.control("Student width").press("Home")
    reader.wait("before your change", ".seeds .caption")
    assert reader.page.locator(".seeds svg").get_attribute("opacity") == "0.45"


@pytest.mark.browser
def test_seeds_are_others_than_the_one_shown_and_draw_the_storys_own_number(reader):
    # The story's question, with smaller students that learn faster.
    reader.open(f"{reader.file}#story=missing-3&omit=3&labels=20&width=4&seed=2")
    reader.button("Run 30 seeds").click()
    reader.wait("Done in", ".seeds .caption")
    told = reader.page.locator(".seeds .caption").inner_text()
    assert "One teacher and one split of the images serve all seeds" in told
    titles = reader.page.locator(".seeds svg rect title").evaluate_all(
        "(all) => all.map((t) => t.textContent)"
    )
    seeds = {int(re.match(r"seed (\d+): ", title)[1]) for title in titles}
    assert len(seeds) == 30 and 2 not in seeds
    # The recall of 3s, which is none for a student that never saw one, and not the accuracy.
    assert {title.split(": ")[1] for title in titles} == {"0.0 %"}
    assert "3s right (%)" in reader.page.locator(".seeds svg").text_content()


@pytest.mark.browser
def test_the_status_follows_the_steps(reader):
    reader.button("Noisy labels").click()
    reader.wait("paused at step 0")
    for _ in range(12):
        reader.button("Step").click()
    reader.wait("Paused at step 60.")
    assert "step 0" not in reader.status


@pytest.mark.browser
def test_the_axis_of_accuracies_begins_where_the_race_is(reader):
    reader.fast().button("Play").click()
    reader.wait("Finished.")
    texts = reader.page.locator(".curves svg").first.locator("text").all_text_contents()
    low = int(re.search(r"the axis begins at (\d+)", texts[0])[1])
    assert 40 <= low <= 70
    ends = [float(re.search(r"[\d.]+$", text)[0]) for text in texts if re.match("label-only|distilled", text)]
    assert len(ends) == 2 and low < min(ends)
    assert str(low - 10) not in texts and "0" in texts  # of the steps
    reader.button("Reset").click()
    reader.wait("Back to step 0")
    reader.page.wait_for_timeout(100)
    assert "begins" not in reader.page.locator(".curves svg").first.text_content()


@pytest.mark.browser
def test_a_digit_drawn_by_pointer_is_read_by_all_three(reader):
    reader.tab("Draw your own digit")
    reader.page.locator(".draw canvas").scroll_into_view_if_needed()
    box = reader.page.locator(".draw canvas").bounding_box()
    mouse = reader.page.mouse
    ring = [
        (0.5, 0.1),
        (0.25, 0.25),
        (0.2, 0.5),
        (0.25, 0.75),
        (0.5, 0.9),
        (0.75, 0.75),
        (0.8, 0.5),
        (0.75, 0.25),
    ]
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (*ring, ring[0])]
    mouse.move(*at[0])
    mouse.down()
    for place in at[1:]:
        mouse.move(*place, steps=4)
    mouse.up()
    reader.wait("The teacher reads 0", ".draw .caption")
    reader.wait("The teacher reads 0")
    assert "Your drawing" in reader.page.locator(".stage .caption").inner_text()
    reader.button("Clear").click()
    reader.wait("Draw a digit", ".draw .caption")
    field = reader.page.locator(".draw canvas")
    for key in ("ArrowRight", "Space", *("ArrowDown", "Space") * 6):
        field.press(key)
    reader.wait("The teacher reads", ".draw .caption")
    assert reader.step == 0, "Space and arrows belong to the drawing field"


@pytest.mark.browser
@pytest.mark.parametrize(
    "stroke", [[(0.5, 0.1), (0.5, 0.9)], [(0.3, 0.3), (0.5, 0.1), (0.5, 0.9)]], ids=["plain", "with a flag"]
)
def test_a_thin_one_is_read_as_a_one(reader, stroke):
    reader.tab("Draw your own digit")
    field = reader.page.locator(".draw canvas")
    field.scroll_into_view_if_needed()
    box, mouse = field.bounding_box(), reader.page.mouse
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
    mouse.move(*at[0])
    mouse.down()
    for place in at[1:]:
        mouse.move(*place, steps=8)
    mouse.up()
    reader.wait("The teacher reads 1", ".draw .caption")


@pytest.mark.browser
def test_the_image_under_the_pointer_is_the_one_told(reader):
    reader.tab("Images")
    strip = reader.page.locator(".images canvas").last
    strip.scroll_into_view_if_needed()
    box = strip.bounding_box()
    reader.page.mouse.move(box["x"] + box["width"] * 6.5 / 12, box["y"] + box["height"] * 0.25)
    reader.wait(", a 3.", ".stage .caption")
    assert "a test image" in reader.page.locator(".stage svg").text_content()
    strip.press("ArrowRight")
    strip.press("ArrowRight")
    reader.wait(", a 4.", ".stage .caption")
    reader.wait(", a 4.")
    # In a test nobody is told anything.
    bands = reader.page.locator(".stage .band").evaluate_all(
        "(all) => all.map((b) => b.getAttribute('opacity'))"
    )
    assert bands == ["0", "0", "0"]


@pytest.mark.browser
def test_a_pointer_that_wanders_over_many_images_is_no_trouble(reader):
    reader.tab("Images")
    reader.page.locator(".images canvas").last.scroll_into_view_if_needed()
    box = reader.page.locator(".images canvas").last.bounding_box()
    for place in range(300):
        reader.page.mouse.move(box["x"] + box["width"] * (place % 12 + 0.5) / 12, box["y"] + 5)
    reader.wait("Test image", ".stage .caption")
    reader.page.wait_for_timeout(500)
    assert reader.page.url == reader.link()


@pytest.mark.browser
def test_who_is_who_is_told_by_more_than_colour(reader):
    fills = reader.page.locator(".classes svg rect").evaluate_all(
        "(all) => all.map((r) => r.getAttribute('fill'))"
    )
    assert set(fills) == {"url(#kdviz-dots)", "url(#kdviz-stripes)"}
    dashes = reader.page.locator(".curves svg > path").evaluate_all(
        "(all) => all.map((line) => line.getAttribute('stroke-dasharray'))"
    )
    assert len(set(dashes)) == 2 and None not in dashes
    names = reader.page.locator(".stage .frame text:nth-of-type(1)").all_text_contents()
    assert names == ["Teacher", "Label", "Label-only student", "Distilled student"]
    reader.page.locator(".about summary").click()
    assert (
        "397 test images that neither teacher nor students learned from"
        in reader.page.locator(".about").inner_text()
    )


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 390, 683, 1366, 1920])
def test_never_scrolls_sideways(reader, width):
    reader.page.set_viewport_size({"width": width, "height": 844})
    reader.button("Step").click()
    reader.wait("step 5 of", ".counter")
    reader.page.locator(".more summary").click()
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= width
    outside = reader.page.evaluate(
        """() => [...document.querySelectorAll(".kdviz-playground *:not(.patterns *)")].filter((part) => {
          const box = part.getBoundingClientRect();
          return box.width && !part.closest(".stories") && (box.right > innerWidth + 0.5 || box.left < -0.5);
        }).map((part) => part.outerHTML.slice(0, 80))"""
    )
    assert outside == []


@pytest.mark.browser
def test_the_views_stand_still_while_the_students_learn(reader):
    # Within the playground: that the page scrolls to the curves moves nothing in it.
    tops = """() => [...document.querySelectorAll(".card, .controls")].map((part) =>
      part.getBoundingClientRect().top
      - document.querySelector(".kdviz-playground").getBoundingClientRect().top)"""
    reader.button("Play").click()
    reader.wait("They learn.")
    places = []
    for _ in range(10):
        reader.page.wait_for_timeout(100)
        places.append(reader.page.evaluate(tops)[:3])
    assert all(place == places[0] for place in places)
    reader.button("Pause").click()


@pytest.mark.browser
def test_whoever_asked_for_less_motion_sees_few_pictures_a_second(context, reader):
    reader.page.emulate_media(reduced_motion="reduce")
    drawn = reader.page.evaluate(
        """() => new Promise((done) => {
          let drawn = 0;
          const counter = document.querySelector(".counter");
          new MutationObserver(() => drawn++).observe(counter, { childList: true });
          document.querySelector(".play").click();
          setTimeout(() => done(drawn), 2600);
        })"""
    )
    assert 2 <= drawn <= 8


@pytest.mark.browser
def test_a_host_that_forbids_workers_still_trains(context, page_file):
    page = context.new_page()
    page.add_init_script("delete window.Worker")
    reader = Reader(page).open(page_file).fast()
    reader.button("Play").click()
    reader.wait("Finished.")
    assert reader.step == 600


@pytest.mark.browser
def test_every_part_can_be_hidden(context, tmp_path):
    page = context.new_page()
    for part in PARTS:
        shown = playground(hide=[part])
        assert part not in opened(page, tmp_path, shown)
    assert opened(page, tmp_path, playground(hide=PARTS)) == set()
    # In a notebook there is no address, and so no link.
    assert opened(page, tmp_path, playground()) == set(PARTS) - {"link"}


@pytest.mark.browser
def test_a_teacher_names_the_controls_that_are_shown(context, reader, tmp_path):
    wanted = ["labels", "seed"]
    shown = opened(context.new_page(), tmp_path, playground(controls=wanted, hide=["draw"]))
    assert shown & set(DEFAULTS) == set(wanted) and "draw" not in shown and "curves" in shown
    reader.open(f"{reader.file}#controls=temperature.width")
    controls = reader.page.locator("[data-control]").evaluate_all(
        "(all) => all.map((c) => c.dataset.control)"
    )
    assert controls == ["temperature", "width"]


@pytest.mark.browser
def test_keys_stay_its_own_in_jupyterlab(context, tmp_path):
    """JupyterLab looks for this note on the element with the focus, and not around it."""
    page = context.new_page()
    opened(page, tmp_path, playground())
    focusable = page.locator(".kdviz-playground :is(button, input, select, summary, canvas[tabindex])")
    noted = focusable.evaluate_all("(all) => all.map((one) => one.dataset.lmSuppressShortcuts)")
    assert len(noted) > 25 and set(noted) == {"true"}


@pytest.mark.browser
def test_every_bar_of_what_they_say_tells_whose_it_is(reader):
    told = reader.page.locator(".stage svg rect title").evaluate_all(
        "(all) => all.map((title) => title.textContent)"
    )
    assert len(told) == 40 and "label, digit 8: 100.0 %" in told
    for who in ("teacher", "label,", "label-only student", "distilled student"):
        shares = [float(re.search(r"([\d.]+) %", text)[1]) for text in told if text.startswith(who)]
        assert len(shares) == 10 and sum(shares) == pytest.approx(100, abs=0.5)
    reader.tab("Digit by digit")
    ticks = reader.page.locator(".classes line title").evaluate_all("(all) => all.map((t) => t.textContent)")
    assert len(ticks) == 10 and all(text.startswith(f"teacher, digit {n}: ") for n, text in enumerate(ticks))


@pytest.mark.browser
def test_what_they_learn_from_is_told_and_drawn(reader):
    reader.tab("What they learn from")
    told = reader.page.locator(".lesson .caption")
    assert told.inner_text().endswith("labels weigh 10 %, the teacher's answers (T = 4) 90 %.")
    # On the stage each flow is as broad as it counts: the teacher, and the label to either student.
    bands = reader.page.locator(".stage .band").evaluate_all(
        "(all) => all.map((b) => b.getAttribute('stroke-width'))"
    )
    assert [(float(band) - 1) / 15 for band in bands] == pytest.approx([0.9, 0.1, 1], abs=0.01)
    assert reader.page.locator(".lesson .strip-title").inner_text() == "20 labelled images"
    before = reader.page.locator(".lesson canvas").evaluate("(canvas) => canvas.toDataURL()")
    reader.page.locator(".more summary").click()
    reader.control("Unlabelled images too").check()
    reader.wait("also meets 1180 images without a label", ".lesson .caption")
    reader.control("Seed").press("ArrowUp")
    reader.control("Seed").press("Tab")
    reader.wait("Seed is now 1")
    reader.page.wait_for_timeout(100)
    assert reader.page.locator(".lesson canvas").evaluate("(canvas) => canvas.toDataURL()") != before
    reader.button("Noisy labels").click()
    wrong = int(re.match(r"(\d+) of the 1200 labels are wrong", told.inner_text())[1])
    assert wrong == pytest.approx(0.6 * 1200, abs=60)


@pytest.mark.browser
def test_on_a_phone_a_press_shows_the_stage(reader):
    reader.page.set_viewport_size({"width": 360, "height": 740})
    reader.button("better").scroll_into_view_if_needed()
    reader.page.mouse.wheel(0, 400)
    reader.button("better").click()
    places = "(part) => { const box = part.getBoundingClientRect(); return [box.top, box.bottom]; }"
    reader.page.wait_for_function("document.querySelector('.stage svg').getBoundingClientRect().top >= -1")
    assert reader.page.locator(".stage svg").evaluate(places)[1] <= 741
    # And near it the button that stops.
    assert reader.button("Pause the run").evaluate(places)[1] <= 741
    reader.button("Pause the run").click()


@pytest.mark.browser
def test_the_temperature_melts_what_the_teacher_says(reader):
    bars = reader.page.locator(".stage .frame").first.locator("rect[x]")

    def tallest():
        return max(
            float(bar) for bar in bars.evaluate_all("(all) => all.map((b) => b.getAttribute('height'))")
        )

    reader.control("Temperature T").press("Home")
    reader.wait("Temperature T is now 0.5")
    reader.page.locator(".stage .caption", has_text="T = 0.5").wait_for()
    hard = tallest()
    reader.control("Temperature T").press("End")
    reader.page.locator(".stage .caption", has_text="T = 20").wait_for()
    assert hard > 3 * tallest()


@pytest.mark.browser
def test_a_worker_that_fails_only_later_is_replaced(context, page_file):
    page = context.new_page()
    page.add_init_script(
        """window.Worker = class {
          constructor() {
            setTimeout(() => this.onerror(new ErrorEvent("error", { message: "forbidden" })), 50);
          }
          postMessage() {}
          terminate() {}
        }"""
    )
    reader = Reader(page).open(page_file).fast()
    reader.button("Play").click()
    reader.wait("Finished.")
    assert reader.step == 600


def opened(page, folder, explorer):
    """The parts that a host with a model shows."""
    state = json.dumps(explorer.static_state())
    script = f"{explorer._esm}\n{base.HOST}\nwindow.model = new StaticModel({state});"
    (folder / "notebook.html").write_text(
        f"<meta charset='utf-8'><style>{explorer._css}</style><body>"
        f"<script type='module'>{script} render({{model, el: document.body}})</script>",
        encoding="utf-8",
    )
    page.goto((folder / "notebook.html").as_uri())
    page.locator(".counter", has_text="step").wait_for()
    classes = {"link": ".share", "stories": ".stories"}
    places = {part: classes.get(part, f".{part}") for part in PARTS if part not in DEFAULTS}
    places |= {name: f"[data-control={name}]" for name in DEFAULTS}
    return {part for part, place in places.items() if page.locator(place).count()}


@pytest.mark.browser
def test_a_notebook_and_its_page_follow_each_other(context, tmp_path):
    page = context.new_page()
    opened(page, tmp_path, playground())
    page.get_by_label("Student width", exact=True).press("Home")
    assert page.evaluate("model.get('settings').width") == 4
    page.evaluate("(settings) => model.set('settings', settings)", {**DEFAULTS, "labels": 500, "omit": 8})
    assert page.get_by_label("Labelled images", exact=True).get_attribute("aria-valuetext") == "500"
    assert "Digit left out: 8" in page.locator(".more summary").inner_text()
    assert page.evaluate("model.get('settings').labels") == 500


@pytest.mark.browser
def test_what_goes_wrong_in_a_worker_is_told(context, tmp_path):
    page = context.new_page()
    opened(page, tmp_path, playground())
    page.evaluate("() => { model.get('packed').teachers = null }")
    page.get_by_role("button", name="Run 30 seeds").click()
    page.locator(".seeds .caption", has_text="A worker failed: Cannot convert undefined or null").wait_for()
    assert page.get_by_role("button", name="Run 30 seeds").is_visible()


def test_stops_hold_every_story_and_default():
    for story in STORIES:
        settings = story_settings(story["name"])
        assert all(settings[name] in stops for name, stops in STOPS.items())
    questions = {story["name"]: story["question"] for story in STORIES}
    assert f"{DEFAULTS['labels']} in all" in questions["few-labels"]
    assert f"{story_settings('missing-3')['omit']}s" in questions["missing-3"]
    assert (
        f"{story_settings('noisy-labels')['label_noise']:.0%}".replace("%", " %") in questions["noisy-labels"]
    )
    assert f"{story_settings('all-labels')['labels']:,} images" in questions["all-labels"]
