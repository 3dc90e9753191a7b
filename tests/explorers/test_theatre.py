import json
import re
import threading
import time

import pytest
import torch
from controls import move_every_control
from torch import nn

import kdviz
from kdviz import CrossEntropy, SoftTargets, distill, explorers, train
from kdviz.datasets import digits
from kdviz.explorers.theatre_explorer.frames import MOST_FRAMES, terms_of
from kdviz.explorers.wire import unpack
from kdviz.losses.objective import as_objective
from kdviz.models import mlp

OBJECTIVE = 0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature=4)
TEMPERATURE = "soft_targets.temperature"


@pytest.fixture(scope="module")
def data():
    return digits(labels=50)


@pytest.fixture(scope="module")
def teacher(data):
    return kdviz.teacher(data)


@pytest.fixture
def make(data, teacher):
    def make(steps=40, record_every=10, objective=OBJECTIVE, **settings):
        student = mlp(64, 8, 10)
        return distill(teacher, student, data, objective, steps=steps, record_every=record_every, **settings)

    return make


@pytest.fixture
def show(make, data, teacher):
    def show(seconds=0, **settings):
        shown.append(explorers.theatre(lambda: make(**settings), data, teacher, seconds=seconds))
        return shown[-1]

    shown = []
    yield show
    for each in shown:
        each.close()
        each.wait(10)


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_student_is_the_one_without_a_theatre_bit_for_bit(show, make):
    watched = show().finish()
    assert watched.state == "done" and watched.message.startswith("Done: step 40 of 40.")
    assert torch.equal(weights(watched.run.student), weights(make().finish().student))


def test_pauses_and_steps_leave_no_trace_in_the_student(show, make):
    watched = show(steps=400)
    for taken in range(1, 4):
        watched.step()
        watched.wait(10)
        assert (watched.run.step, watched.state) == (taken, "paused")
    assert not watched.run.student.training
    watched.finish()
    assert [record.step for record in watched.run.records] == [1, 2, 3, *range(4, 401, 4)]
    assert torch.equal(weights(watched.run.student), weights(make(steps=400).finish().student))


def test_the_frames_are_the_records(show):
    watched = show().finish()
    for frame, record in zip(watched.frames[1:], watched.run.records, strict=True):
        assert frame["step"] == record.step
        assert frame["losses"] == pytest.approx(record.losses, rel=1e-6)
        assert frame["total"] == pytest.approx(record.total, rel=1e-6)
        shown = {name: frame["measures"][name] for name in record.measures}
        assert shown == pytest.approx(record.measures, rel=1e-6)
        assert -1 < frame["measures"]["CKA"] <= 1


def test_the_images_show_what_teacher_and_student_say(show, data, teacher):
    watched = show().finish()
    logits = unpack(watched.frames[-1]["logits"])
    taught = unpack(watched.teacher_logits)
    shown = unpack(watched.get_state("images")["images"]).reshape(10, 64)
    pixels = (data.validation.inputs + data.mean).flatten(1)
    rows = [int((pixels - torch.tensor(image)).abs().amax(1).argmin()) for image in shown]
    with torch.no_grad():
        inputs = data.validation.inputs[rows]
        assert watched.run.student(inputs).numpy() == pytest.approx(logits, abs=0.006)
        assert teacher(inputs).numpy() == pytest.approx(taught, abs=0.006)
    assert watched.labels == data.validation.labels[rows].tolist() == sorted(watched.labels)


def test_the_cka_of_a_network_with_itself_is_one(data, teacher):
    run = distill(teacher, teacher.requires_grad_(True), data, OBJECTIVE, steps=5)
    teacher.requires_grad_(False)
    assert explorers.theatre(run, data, teacher).frames[0]["measures"]["CKA"] == pytest.approx(1, abs=1e-6)


WEIGHT = "soft_targets.weight"


@pytest.mark.parametrize(("setting", "before", "after"), [(TEMPERATURE, 4, 1.5), (WEIGHT, 0.9, 0.3)])
def test_a_setting_changed_while_it_trains_acts_on_the_next_step(show, make, setting, before, after):
    watched = show(seconds=60, steps=4000, record_every=1000)
    watched.play()
    until(lambda: watched.run.step > 40)
    # As the page says it: all the settings, of which one has moved.
    watched.set_state({"settings": {**watched.settings, setting: after}})
    assert watched.run.objective.settings()[setting] == after
    until(lambda: watched.marks)
    watched.pause()
    (record,) = [record for record in watched.run.records if record.changes]
    ((step, address, old, new),) = record.changes
    assert (address, old, new) == (setting, before, after) and 40 <= step < record.step
    assert watched.marks == [[step, setting, before, after]]
    # The step named is the first with the new value: the same weights come of a plain run told so.
    plain = make(steps=4000, record_every=1)
    while plain.step < step:
        next(plain)
    plain.set(setting, after)
    while plain.step < watched.run.step:
        next(plain)
    assert torch.equal(weights(watched.run.student), weights(plain.student))


def test_each_number_of_the_objective_has_a_knob(show):
    knobs = {knob["address"]: knob for knob in show().knobs}
    assert list(knobs) == ["cross_entropy.weight", "soft_targets.weight", TEMPERATURE]
    assert knobs[TEMPERATURE]["label"] == "temperature"
    assert knobs["soft_targets.weight"]["label"] == "weight of soft targets"
    for knob in knobs.values():
        assert knob["stops"] == sorted(knob["stops"])
    assert 0.9 in knobs["soft_targets.weight"]["stops"] and 4 in knobs[TEMPERATURE]["stops"]


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0, 25.0])
def test_a_weight_can_be_raised_and_lowered(make, weight):
    (knob, _) = explorers.theatre(make(objective=weight * SoftTargets(4))).knobs
    assert weight in knob["stops"] and knob["stops"][-1] > weight
    assert knob["stops"][0] == 0


def test_forms_and_layers_have_no_knob(data, teacher, make):
    objective = 25 * kdviz.Hint("activation1") + SoftTargets(3.3)
    show = explorers.theatre(make(objective=objective))
    assert [knob["address"] for knob in show.knobs] == ["hint.weight", "soft_targets.weight", TEMPERATURE]
    assert {25.0, 0.0, 50.0} < set(show.knobs[0]["stops"]) and 3.3 in show.knobs[2]["stops"]
    assert [term["source"] for term in show.terms] == ["teacher", "teacher"]
    assert show.terms[1]["about"].startswith("Soft targets: the student matches")


def test_every_loss_has_a_sentence_and_a_source():
    for name in kdviz.LOSSES:
        loss = getattr(kdviz, name)
        try:
            objective = as_objective(loss("layer") if loss.student_layers else loss())
        except TypeError:  # it must be told more layers than one
            continue
        (term,) = terms_of(objective)
        assert term["about"] and not term["about"].startswith(":"), name
        assert term["source"] == ("teacher" if loss.needs_teacher else "labels")


def test_a_value_that_cannot_be_is_told_and_changes_nothing(show):
    watched = show()
    watched.set_state({"settings": {**watched.settings, TEMPERATURE: -1.0}})
    assert "temperature must be a finite number above 0" in watched.message
    assert watched.settings[TEMPERATURE] == watched.run.objective.settings()[TEMPERATURE] == 4


def test_what_python_sets_moves_the_knob(show):
    watched = show()
    watched.set(TEMPERATURE, 2.5)
    assert watched.settings[TEMPERATURE] == 2.5
    watched.run.set("soft_targets.weight", 0.4)
    watched.step()
    watched.wait(10)
    assert watched.settings["soft_targets.weight"] == 0.4
    assert {mark[1]: mark[2:] for mark in watched.marks} == {
        TEMPERATURE: [4, 2.5],
        "soft_targets.weight": [0.9, 0.4],
    }


def test_pause_and_stop_do_not_wait_for_the_next_record(show):
    watched = show(seconds=600, steps=3000, record_every=3000)
    for end, state in ((watched.pause, "paused"), (watched.stop, "stopped")):
        watched.play()
        until(lambda: watched.state == "playing")
        time.sleep(0.2)
        end()
        assert watched.run.step < 3000
        assert watched.state == state and str(watched.run.step) in watched.message
        assert not watched.run.student.training
        assert watched.frames[-1]["step"] == watched.run.step == watched.run.records[-1].step


def test_a_play_after_a_pause_is_never_lost(show):
    watched = show(seconds=0, steps=100_000, record_every=50)
    for number in range(1, 401, 2):
        watched.command = ["play", number, 0]
        watched.command = ["pause", number + 1, 0]
    watched.command = ["play", 401, 0]
    before = watched.run.step
    until(lambda: watched.run.step > before + 100)
    assert watched.state == "playing"
    watched.pause()
    assert watched.state == "paused"


def test_reset_begins_again_under_the_settings_of_the_beginning(show):
    watched = show(seconds=60, steps=4000)
    first = watched.run
    watched.set(TEMPERATURE, 1.0)
    watched.play()
    until(lambda: first.step > 5)
    watched.command = ["reset", 1, 0]
    assert watched.run is not first and watched.run.step == 0
    assert (watched.state, watched.marks, len(watched.frames)) == ("ready", [], 1)
    assert watched.settings[TEMPERATURE] == 4
    # The first one's thread ends by itself and draws nothing more.
    time.sleep(0.3)
    here = first.step
    time.sleep(0.2)
    assert first.step == here and len(watched.frames) == 1


def test_without_a_function_there_is_no_way_back(make):
    watched = explorers.theatre(make())
    assert not watched.can_reset
    watched.command = ["reset", 1, 0]
    assert "pass it a function that makes the run" in watched.message
    same = make()
    watched = explorers.theatre(lambda: same)
    with pytest.raises(ValueError, match="must make a new run"):
        watched.reset()


def test_a_loss_that_is_not_finite_is_told_and_the_student_kept(data):
    answers = torch.zeros(len(data.transfer), 10)
    answers[:, 3] = float("nan")
    watched = explorers.theatre(distill(answers, mlp(64, 8, 10), data, OBJECTIVE, steps=10), data)
    before = weights(watched.run.student)
    watched.finish()
    assert watched.state == "paused" and "ValueError: the loss is not a finite number" in watched.message
    assert torch.equal(weights(watched.run.student), before)
    json.dumps(watched.static_state(), allow_nan=False)


def test_a_loss_too_large_can_be_turned_down_and_played_on(show):
    watched = show(steps=20)
    watched.set("soft_targets.weight", 1e38)
    watched.finish()
    assert "not a finite number" in watched.message and watched.run.step == 0
    watched.set("soft_targets.weight", 0.9)
    assert watched.finish().state == "done"


def test_interrupting_the_kernel_pauses_and_keeps_what_was_trained(show, make, monkeypatch):
    watched = show(seconds=60, steps=4000)

    def interrupted(thread, seconds=None):
        until(lambda: watched.run.step > 5)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    watched.play()
    with pytest.raises(KeyboardInterrupt):
        watched.wait()
    until(lambda: watched.state == "paused")
    plain = make(steps=4000, record_every=watched.run.step)
    next(plain)
    assert torch.equal(weights(watched.run.student), weights(plain.student))


def test_two_theatres_at_once_do_not_touch_each_other(show, make):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        both = [show(steps=100), show(steps=100)]
        for _ in range(3):
            for each in both:
                each.reset()
                each.play()
            for each in both:
                each.wait(60)
        assert torch.get_num_threads() == 2
        seen = []
        asked = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        asked.start()
        asked.join()
        assert seen == [2]
    finally:
        torch.set_num_threads(threads)
    alone = weights(make(steps=100).finish().student)
    assert all(torch.equal(weights(each.run.student), alone) for each in both)


def test_a_second_theatre_of_the_same_run_takes_over(make):
    run = make(steps=4000)
    first, second = (explorers.theatre(run, seconds=60) for _ in range(2))
    first.play()
    until(lambda: run.step > 5)
    second.play()
    assert first.state == "paused" and second.state == "playing"
    until(lambda: len(second.frames) > 2)
    second.stop()
    assert [frame["step"] for frame in second.frames[1:]] == [record.step for record in run.records]


def test_a_closed_theatre_trains_no_longer(show):
    watched = show(seconds=60, steps=4000)
    watched.play()
    until(lambda: watched.run.step > 5)
    watched.close()
    until(lambda: watched._thread is None)


def test_a_run_that_has_ended_is_shown(make, data, teacher):
    run = make()
    for record in run:
        if record.step == 20:
            run.set(TEMPERATURE, 2.0)
    watched = explorers.theatre(run, data, teacher)
    assert watched.state == "done"
    assert [frame["step"] for frame in watched.frames] == [10, 20, 30, 40]
    assert [frame["settings"][TEMPERATURE] for frame in watched.frames] == [4, 4, 2, 2]
    # Only the end was seen by the theatre.
    assert ["logits" in frame for frame in watched.frames] == [False, False, False, True]
    assert watched.marks == [[20, TEMPERATURE, 4, 2.0]]


@pytest.fixture
def generations(data):
    """Three networks; the first hears labels, the others only the one before them."""

    def generations():
        starts = [mlp(64, 8, 10, seed=seed) for seed in range(3)]
        return kdviz.schemes.born_again(starts, data, 0.8 * SoftTargets(2), steps=20, record_every=10)

    return generations


def test_the_frames_of_a_run_in_stages_have_the_terms_of_their_stage(generations, data):
    watched = explorers.theatre(generations, data, seconds=0)
    assert (watched.steps, watched.stages) == (60, 3)
    assert [knob["address"] for knob in watched.knobs] == ["cross_entropy.weight"]
    watched.finish()
    assert [term["name"] for term in watched.terms] == ["cross_entropy", "soft_targets"]
    assert {knob["address"] for knob in watched.knobs} == {"cross_entropy.weight", WEIGHT, TEMPERATURE}
    first, later = {"cross_entropy.weight": 1}, {WEIGHT: 0.8, TEMPERATURE: 2}
    for frame in watched.frames:
        assert frame["settings"] == (first if frame["step"] <= 20 else later)
        assert {f"{name}.weight" for name in frame["losses"]} <= set(frame["settings"])
    # Each stage is looked at as often as a run without stages.
    assert [frame["step"] for frame in watched.frames] == list(range(61))
    # The same run, shown once it has ended, is the same replay.
    ended = explorers.theatre(watched.run)
    assert ended.terms == watched.terms and ended.knobs == watched.knobs
    assert [(f["step"], f["settings"]) for f in ended.frames] == [
        (f["step"], f["settings"]) for f in watched.frames[1:]
    ]
    alone = generations().finish()
    assert torch.equal(weights(watched.run.student), weights(alone.student))


def test_a_knob_turned_in_one_stage_is_in_the_frames_of_the_next(generations, data):
    watched = explorers.theatre(generations, data, seconds=0)
    while watched.run.step < 25:
        watched.step()
        watched.wait(10)
    watched.set(WEIGHT, 0.3)
    watched.finish()
    shown = {frame["step"]: frame["settings"].get(WEIGHT) for frame in watched.frames}
    assert (shown[20], shown[25], shown[26], shown[60]) == (None, 0.8, 0.3, 0.3)
    # The stage after it begins with the objective's own weight, and is told at once.
    assert watched.marks == [[25, WEIGHT, 0.8, 0.3], [40, WEIGHT, 0.8, 0.3]]


def test_a_run_without_data_or_teacher(data):
    watched = explorers.theatre(train(mlp(64, 8, 10), data, steps=20), seconds=0).finish()
    assert watched.terms[0]["source"] == "labels" and watched.labels == []
    assert watched.frames[-1]["measures"] == watched.run.records[-1].measures


def test_models_of_the_readers_own(data, teacher):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Dropout(0.2))
            self.head = nn.Linear(12, 10)

        def forward(self, inputs):
            return {"logits": self.head(self.body(inputs))}

    def run():
        return distill(teacher, Own(), data, OBJECTIVE, steps=20)

    assert "CKA" not in explorers.theatre(run, data, teacher).finish().frames[-1]["measures"]
    named = explorers.theatre(run, data, teacher, layers=("body", "activation1")).finish()
    assert 0 < named.frames[-1]["measures"]["CKA"] < 1


def test_a_long_run_stays_small_for_the_page(show):
    watched = show(steps=3000, record_every=10).finish()
    steps = [frame["step"] for frame in watched.frames]
    assert MOST_FRAMES / 2 < len(steps) <= MOST_FRAMES
    assert steps == sorted(steps) and (steps[0], steps[-1]) == (0, 3000)
    assert len(watched.run.records) == 300
    assert len(watched.static_html()) < 130_000


def test_the_page_is_sent_no_more_than_five_times_a_second(show):
    watched, sent = show(steps=3000, record_every=1), []
    watched.observe(lambda change: sent.append(time.monotonic()), "latest")
    watched.play()
    time.sleep(1.5)
    watched.pause()
    assert len(watched.run.records) > 30
    assert len(sent) <= 1.5 / 0.2 + 3


def test_what_is_sent_bit_by_bit_is_the_whole(show):
    watched, got = show(steps=60, record_every=1), []
    got += watched.frames

    def receive(change):
        got.extend(frame for frame in change.new if frame["step"] > got[-1]["step"])

    watched.observe(receive, "latest")
    watched.finish()
    assert got == watched.frames


def test_the_static_page_plays_a_whole_run_and_leaves_the_student_alone(show):
    watched = show()
    before = weights(watched.run.student)
    state = watched.static_state()
    assert (state["live"], state["state"], state["frames"][-1]["step"]) == (False, "done", 40)
    assert watched.state == "ready" and torch.equal(weights(watched.run.student), before)
    assert state["frames"] == watched.finish().static_state()["frames"]


@pytest.mark.parametrize(
    ("change", "problem", "message"),
    [
        ({"run": 3}, TypeError, "shows a run, such as kdviz.distill"),
        ({"seconds": -1}, ValueError, "seconds must be a finite number from 0"),
        ({"count": 0}, ValueError, "count must be a whole number from 1 to"),
        ({"teacher": torch.zeros(3, 10)}, TypeError, "teacher must be a torch.nn.Module"),
        ({"data": None}, ValueError, "pass the data, too"),
        ({"layers": ("nowhere", "activation1")}, ValueError, "unknown layer 'nowhere'"),
    ],
)
def test_bad_input_is_told_what_was_expected(make, data, teacher, change, problem, message):
    with pytest.raises(problem, match=message):
        explorers.theatre(**{"run": make(), "data": data, "teacher": teacher, **change})


def told(view):
    return view.locator(".read-out").inner_text()


def settings_told(view):
    """The settings of a replay, as they are seen and as they are heard."""
    shown = view.locator(".knobs label").evaluate_all(
        "(all) => all.map((one) => [one.children[0].textContent, one.children[1].textContent])"
    )
    heard = view.locator(".knobs [role='meter']").evaluate_all(
        "(all) => all.map((one) => [one.ariaLabel, one.getAttribute('aria-valuetext').split(':')[0]])"
    )
    assert shown == heard
    return dict(shown)


def bars(view):
    return view.locator(".bar").evaluate_all("(all) => all.map((bar) => bar.getAttribute('height'))")


def short(value):
    """A number from 0.001 to 100 as the page writes it."""
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}" if value >= 1 else f"{value:#.3g}"


def number(text):
    return float(text.replace("−", "-"))


@pytest.mark.browser
def test_the_replay_shows_the_numbers_of_the_records_by_keyboard(page, show):
    watched = show(steps=12, record_every=2)
    watched.step()
    watched.wait(10)
    watched.set(TEMPERATURE, 2.0)
    watched.finish()
    view = page(watched)
    view.get_by_label("Record").focus()
    texts = []
    for record in watched.run.records:
        view.keyboard.press("ArrowRight")
        texts.append(told(view))
        assert texts[-1].startswith(f"Step {record.step} of 12: loss ")
        shown = dict((name, number(value)) for value, name in re.findall(r"× (\S+) \(([a-z ]+)\)", texts[-1]))
        expected = {name.replace("_", " "): value for name, value in record.losses.items()}
        assert shown == pytest.approx(expected, rel=0.05 if min(shown.values()) < 1e-3 else 0.005, abs=6e-4)
        total = number(re.search(r"loss (\S+) =", texts[-1]).group(1))
        assert total == pytest.approx(record.total, rel=0.005, abs=6e-4)
        assert f"accuracy {100 * record.measures['accuracy']:.1f} %" in texts[-1]
        assert f"agreement {100 * record.measures['agreement']:.1f} %" in texts[-1]
    assert "Last change" not in texts[0]
    assert "Last change: temperature from 4 to 2 at step 1." in texts[1]
    # Played once more, from the beginning: the keys go round.
    view.keyboard.press("ArrowRight")
    assert told(view).startswith("Step 0 of 12: nothing learned yet.")
    again = []
    for _ in watched.run.records:
        view.keyboard.press("ArrowRight")
        again.append(told(view))
    assert again == texts


@pytest.mark.browser
def test_the_replay_plays_pauses_and_steps(page, show):
    view = page(show(steps=30))
    buttons = view.locator(".row").first
    assert "to turn them, it needs a running kernel" in view.locator(".message").inner_text()
    assert view.get_by_role("slider", name="temperature").count() == 0
    assert settings_told(view)["temperature"] == "4"
    assert buttons.get_by_role("button", name="Stop").is_disabled()
    assert told(view).startswith("Step 0 of 30")
    view.locator("button.main").press("Enter")
    assert view.locator("button.main").inner_text() == "Pause"
    view.wait_for_function("() => parseInt(document.querySelector('.read-out').textContent.slice(5)) > 3")
    view.locator("button.main").press("Enter")
    here = told(view)
    view.wait_for_timeout(400)
    assert told(view) == here
    before = int(here.split()[1])
    view.get_by_role("button", name="Step").press("Enter")
    assert told(view).startswith(f"Step {before + 1} of 30")
    view.get_by_role("button", name="Reset").press("Enter")
    assert told(view).startswith("Step 0 of 30")
    view.locator("button.main").press("Enter")
    view.get_by_text("Step 30 of 30: loss").wait_for()
    assert view.locator("button.main").inner_text() == "Replay"


@pytest.mark.browser
def test_every_control_of_the_replay_works_by_keyboard(page, show):
    view = page(show(steps=30))
    moved = move_every_control(view, view.locator(".kdviz-theatre"))
    assert [name.split(":")[0] for name in moved] == [
        "Replay", "Step", "Reset", "Pace", "Record", "The arrows. Arrow keys choose one.", "Image",
    ]  # fmt: skip


@pytest.mark.browser
def test_a_replay_in_stages_shows_of_each_stage_what_it_has(page, generations, data):
    view = page(explorers.theatre(generations, data, names=("the one before", "generation")))
    panel, record = view.locator(".kdviz-theatre"), view.get_by_label("Record")
    heights, seen = {panel.bounding_box()["height"]}, []
    none = "off"
    for _ in range(61):
        sources = view.locator(".pictures svg").first.text_content()
        seen.append((told(view).split(":")[0], settings_told(view), "labels" in sources))
        record.press("ArrowRight")
        heights.add(panel.bounding_box()["height"])
    first = {"weight of cross entropy": "1", "weight of soft targets": none, "temperature": none}
    later = {"weight of cross entropy": none, "weight of soft targets": "0.8", "temperature": "2"}
    assert seen[0] == ("Step 0 of 60 (stage 1 of 3)", first, True)
    assert seen[20] == ("Step 20 of 60 (stage 1 of 3)", first, True)
    assert seen[21] == ("Step 21 of 60 (stage 2 of 3)", later, False)
    assert seen[60] == ("Step 60 of 60 (stage 3 of 3)", later, False)
    assert len(heights) == 1
    moved = move_every_control(view, panel)
    assert [name.split(":")[0] for name in moved] == ["Replay", "Step", "Reset", "Pace", "Record", "Image"]


@pytest.mark.browser
def test_each_arrow_says_what_it_asks_for(page, show):
    watched = show(steps=4)
    view = page(watched)
    arrows = view.locator(".arrow")
    assert arrows.count() == 2 and view.locator(".arrow.chosen > text").first.text_content() == "soft targets"
    about = view.locator(".about")
    assert about.inner_text().startswith("Soft targets: the student matches the teacher's probabilities")
    view.locator("g[tabindex='0']").press("ArrowDown")
    assert about.inner_text().startswith("Cross-entropy with the hard labels.")
    # To point at it is enough; its tooltip and its label say loss, weight and value of the step looked at.
    arrows.first.hover()
    assert about.inner_text().startswith("Soft targets")
    tip = arrows.first.locator("title")
    assert tip.text_content().endswith("at a temperature. Weight 0.9, temperature 4.")
    view.get_by_label("Record").press("ArrowLeft")
    watched.finish()
    value, part = (short(scale * watched.run.records[-1].losses["soft_targets"]) for scale in (1, 0.9))
    assert f"Weight 0.9, temperature 4; loss {value}, its part {part}: " in tip.text_content()
    assert f"0.9 × {value} = {part}" in arrows.first.text_content()
    assert "labels" in view.locator(".pictures svg").first.text_content()


@pytest.fixture
def notebook(live):
    return Notebook(live)


class Notebook:
    def __init__(self, live):
        self._live = live

    def open(self, explorer, width=920):
        self.view = self._live(explorer, width=width, height=620)

    def receive(self, **state):
        for name, value in state.items():
            self.view.evaluate("([name, value]) => model.set(name, value)", [name, value])
        self.view.evaluate("() => new Promise(requestAnimationFrame)")

    def asked(self, name):
        return self.view.evaluate("(name) => model.get(name)", name)

    def press(self, name):
        self.view.get_by_role("button", name=name, exact=True).press("Enter")


@pytest.mark.browser
def test_a_training_from_the_first_press_to_its_end(notebook, show):
    watched = show(steps=30)
    notebook.open(watched)
    assert notebook.view.locator(".message").inner_text() == "Press Play: the student begins to learn."
    notebook.press("Play")
    assert notebook.asked("command")[:2] == ["play", 1]
    start = watched.frames[:]
    watched.finish()
    notebook.receive(state="playing", message="Training.", latest=watched.frames[len(start) : 11])
    assert told(notebook.view).startswith("Step 10 of 30: loss")
    notebook.press("Pause")
    assert notebook.asked("command")[:2] == ["pause", 2]
    # A frame that comes twice is one frame.
    notebook.receive(latest=watched.frames[8:21], state="paused", message="Paused after step 20 of 30.")
    assert notebook.asked("frames") == watched.frames[:21]
    assert told(notebook.view).startswith("Step 20 of 30: loss")
    for button, wish in (("Step", "step"), ("Stop", "stop"), ("Reset", "reset")):
        notebook.press(button)
        assert notebook.asked("command")[0] == wish
    notebook.receive(latest=watched.frames[21:], state="done", message=watched.message)
    assert notebook.view.locator("button.main").inner_text() == "Replay"
    assert notebook.view.get_by_role("slider", name="temperature").count() == 0
    assert settings_told(notebook.view)["temperature"] == "4"
    notebook.receive(frames=start, latest=[], state="ready", marks=[])
    assert notebook.view.get_by_role("slider", name="temperature").is_enabled()
    assert told(notebook.view).startswith("Step 0 of 30: nothing learned yet.")


@pytest.mark.browser
def test_a_knob_asks_for_the_next_step_and_shows_at_once_what_it_does(notebook, show):
    watched = show(steps=300)
    watched.step()
    watched.wait(10)
    notebook.open(watched)
    before = bars(notebook.view)
    notebook.view.get_by_label("temperature").press("ArrowLeft")
    notebook.receive()
    asked = notebook.asked("settings")
    assert asked == {**watched.settings, TEMPERATURE: 3}
    assert bars(notebook.view) != before and "at T = 3" in told(notebook.view)
    notebook.view.get_by_label("weight of soft targets").press("ArrowRight")
    notebook.receive()
    assert notebook.asked("settings")["soft_targets.weight"] == 0.95
    assert notebook.view.locator(".arrow.chosen").text_content().count("0.95 × ") == 1
    # Looking back, the page shows what was; the knobs are still those of the next step.
    notebook.view.get_by_label("Record").press("ArrowLeft")
    assert told(notebook.view).startswith("Step 0") and "at T = 4" in told(notebook.view)


@pytest.mark.browser
def test_looking_back_while_it_trains_stays_there(notebook, show):
    watched = show(steps=30)
    notebook.open(watched)
    watched.finish()
    notebook.receive(state="playing", latest=watched.frames[1:6])
    notebook.view.get_by_label("Record").press("ArrowLeft")
    assert told(notebook.view).startswith("Step 4 of 30")
    notebook.receive(latest=watched.frames[6:9])
    assert told(notebook.view).startswith("Step 4 of 30")
    notebook.view.get_by_label("Record").press("End")
    notebook.receive(latest=watched.frames[9:12])
    assert told(notebook.view).startswith("Step 11 of 30")


@pytest.mark.browser
def test_the_page_thins_a_long_run_as_python_does_and_stays_where_it_looks(notebook, show):
    watched, sent = show(steps=3000, record_every=10), []
    watched.observe(lambda change: sent.append(change.new), "latest")
    notebook.open(watched)
    watched.finish()
    notebook.receive(state="playing")
    for place, news in enumerate(sent):
        notebook.receive(latest=news)
        if place == 0:
            record = notebook.view.get_by_label("Record")
            record.press("ArrowLeft")
            here = told(notebook.view)
    # In halves, as the page may have missed or thinned away the one it looked at.
    assert len(notebook.asked("frames")) <= MOST_FRAMES
    assert notebook.asked("frames")[-1] == watched.frames[-1]
    step = int(here.split()[1])
    assert step - 200 < int(told(notebook.view).split()[1]) <= step


@pytest.mark.browser
def test_a_wish_is_repeated_until_it_is_heard(notebook, show):
    watched = show(steps=400)
    notebook.open(watched)
    notebook.press("Step")
    assert notebook.asked("command") == ["step", 1, 0]
    notebook.view.wait_for_function("() => model.get('command')[2] === 2")
    notebook.receive(acknowledged=1)
    repeated = notebook.asked("command")
    notebook.view.wait_for_timeout(1000)
    assert notebook.asked("command") == repeated
    # However often it arrives, it is one step.
    for again in range(3):
        watched.command = ["step", 1, again]
        watched.wait(10)
    assert watched.run.step == 1 and watched.acknowledged == 1


@pytest.mark.browser
def test_a_page_that_is_closed_pauses_what_it_played(notebook, show):
    notebook.open(show())
    notebook.receive(state="playing")
    notebook.view.evaluate("() => close()")
    assert notebook.asked("command")[0] == "pause"


@pytest.mark.browser
def test_what_goes_wrong_is_seen(notebook, show):
    notebook.open(show())
    notebook.receive(state="paused", message="ValueError: the loss is not a finite number at step 3")
    assert "not a finite number at step 3" in notebook.view.locator(".message").inner_text()
    notebook.receive(frames=[{}])
    assert "The theatre could not be drawn" in notebook.view.locator(".message").inner_text()


@pytest.mark.browser
def test_many_terms_one_term_and_no_data_are_drawn(notebook, make, data, teacher):
    many = OBJECTIVE + 25 * kdviz.DistanceRelation("activation1") + kdviz.DeiTHard()
    many = many + 3 * kdviz.LogitMatching() + kdviz.Decoupled()
    for run, arrows, knobs in ((make(objective=many), 6, 4), (train(mlp(64, 8, 10), data, steps=20), 1, 1)):
        watched = explorers.theatre(run)
        notebook.open(watched)
        assert notebook.view.locator(".knobs").first.locator("input").count() == knobs
        notebook.open(watched.finish())
        assert notebook.view.locator(".arrow").count() == arrows
        assert len(settings_told(notebook.view)) >= knobs
        assert notebook.view.locator(".knobs input").count() == 0
        assert notebook.view.evaluate("document.documentElement.scrollWidth") <= 920
        assert "could not be drawn" not in notebook.view.locator(".message").inner_text()
    assert notebook.view.locator("g[tabindex='0']").count() == 0


@pytest.mark.browser
def test_fits_a_laptop_and_stands_still_while_it_plays(notebook, show):
    watched = show(steps=30)
    watched.step()
    watched.wait(10)
    watched.set(TEMPERATURE, 2.0)
    notebook.open(watched.finish())
    panel, heights = notebook.view.locator(".kdviz-theatre"), set()
    notebook.view.get_by_label("Record").focus()
    for _ in range(31):
        notebook.view.keyboard.press("ArrowRight")
        heights.add(panel.bounding_box()["height"])
    assert len(heights) == 1 and heights.pop() <= 625


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 450, 820, 1920])
def test_never_scrolls_sideways(page, show, width):
    view = page(show())
    view.set_viewport_size({"width": width, "height": 1080})
    assert view.evaluate("document.documentElement.scrollWidth") <= width
