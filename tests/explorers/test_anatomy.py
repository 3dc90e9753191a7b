import numpy as np
import pytest
import torch

import kdviz as kd
from kdviz import explorers
from kdviz.explorers.anatomy_explorer import LOSSES, STOPS, gradients
from kdviz.explorers.wire import unpack
from kdviz.losses import response
from kdviz.tracing import Trace


@pytest.fixture(scope="module")
def models():
    digits = kd.datasets.digits(labels=50, transfer="labelled", seed=0)
    student = kd.train(kd.models.mlp(64, 16, 10, seed=0), digits, steps=50).finish().student
    return kd.teacher(digits), student, digits


@pytest.fixture
def view(models):
    return explorers.anatomy(*models, count=20)


def unpacked(explorer, name):
    numbers = unpack(explorer.static_state()["gradients"])[list(explorer.scales).index(name)]
    assert numbers.shape == (len(STOPS), len(explorer.labels), len(explorer.classes))
    return numbers


def chosen_rows(explorer, digits):
    """Where the explorer's images stand in the test set."""
    pixels = 255 * unpack(explorer.static_state()["images"]).reshape(-1, 64)
    every = ((digits.test.inputs + digits.mean).clamp(0, 1) * 255).round().flatten(1).numpy()
    return [int(np.abs(every - one).sum(1).argmin()) for one in pixels]


def logits(model, inputs):
    with torch.no_grad():
        return model(inputs).double()


# Each of them by hand, for one image, from its formula.
def by_hand(name, z, teacher, label, temperature):
    p, q = torch.softmax(z / temperature, -1), torch.softmax(teacher / temperature, -1)
    hot = torch.eye(len(z), dtype=z.dtype)[label]
    if name == "soft targets":
        return temperature * (p - q)
    if name == "reverse KL":
        surprise = p.log() - q.log()
        return temperature * p * (surprise - (p * surprise).sum())
    if name == "decoupled (DKD)":
        p_hat, q_hat = (values * (1 - hot) / (1 - values[label]) for values in (p, q))
        return temperature * ((hot - p_hat) * (p[label] - q[label]) + 8 * (p_hat - q_hat))
    return {"logit matching": z - teacher, "hard labels": torch.softmax(z, -1) - hot}[name]


@pytest.mark.parametrize(
    "name", ["soft targets", "reverse KL", "decoupled (DKD)", "logit matching", "hard labels"]
)
def test_the_gradients_are_those_of_the_formulas(models, view, name):
    teacher, student, digits = models
    rows = chosen_rows(view, digits)
    z, q = (logits(model, digits.test.inputs[rows]) for model in (student, teacher))
    found = unpacked(view, name)
    for place, temperature in enumerate(STOPS):
        for image, label in enumerate(view.labels):
            expected = by_hand(name, z[image], q[image], label, temperature).numpy()
            assert np.allclose(found[place, image], expected, rtol=1e-4, atol=1e-5), (temperature, image)


@pytest.mark.parametrize("loss", list(LOSSES.values()), ids=list(LOSSES))
def test_a_gradient_is_what_a_small_step_finds(loss):
    generator = torch.Generator().manual_seed(0)
    z, teacher = 3 * torch.randn(2, 6, 4, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    (found,) = gradients(loss, z, teacher, labels, temperatures=(2.0,))
    at = kd.losses.objective.as_objective(loss)
    at = at.replace(dict.fromkeys((a for a in at.settings() if a.endswith(".temperature")), 2.0))
    for sample, logit in ((0, 0), (3, 2), (5, 3)):
        step = torch.zeros_like(z)
        step[sample, logit] = 1e-5
        up, down = (at(Trace(moved), Trace(teacher), labels)[0] for moved in (z + step, z - step))
        assert found[sample, logit] == pytest.approx(6 * float(up - down) / 2e-5, rel=1e-4, abs=1e-8)


def test_losses_that_know_no_temperature_do_not_change_with_it(view):
    assert [name for name, changes in view.tempered.items() if not changes] == [
        "logit matching",
        "hard labels",
    ]
    for name, changes in view.tempered.items():
        numbers = unpacked(view, name)
        assert np.allclose(numbers[0], numbers[-1]) != changes, name


def test_begins_with_an_image_on_which_the_teacher_is_right_and_has_more_to_say(view):
    said = view.teacher_logits[view.index]
    assert int(np.argmax(said)) == view.labels[view.index]
    p = torch.tensor(said).softmax(0)
    assert float(p.sort().values[-2]) > 0.05


def test_takes_objectives_and_losses_of_the_readers_own(models):
    losses = {"TCKD": response.Decoupled(1.0, 0.0), "both": 0.5 * kd.CrossEntropy() + 2 * kd.SoftTargets()}
    explorer = explorers.anatomy(*models, losses=losses, also="TCKD", count=5)
    assert (explorer.loss, explorer.against, explorer.also) == ("TCKD", "both", "TCKD")
    assert explorer.scales["both"] == "cross entropy + soft targets"
    parts = explorers.anatomy(*models, count=5)
    expected = 0.5 * unpacked(parts, "hard labels") + 2 * unpacked(parts, "soft targets")
    assert np.allclose(unpacked(explorer, "both"), expected, atol=1e-5)


def test_leaves_the_models_as_they_were(models):
    teacher, student, _ = models
    student.train().zero_grad(set_to_none=True)
    before = [parameter.clone() for parameter in student.parameters()]
    explorers.anatomy(*models, count=5)
    assert student.training and all(p.grad is None for p in student.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, student.parameters(), strict=True))
    student.eval()


class OfFeatures(kd.losses.Loss):
    name, kind, paper, scale, memory, cost = "of_features", "feature", "", "", "", ""
    student_layers = ("hidden",)
    __dataclass_fields__ = {}

    def value(self, student, teacher, labels, learned):
        raise AssertionError("never asked")

    def latex(self):
        return ""


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"loss": "hinton"}, ValueError, "loss must be one of the losses soft targets, decoupled"),
        ({"also": "hinton"}, ValueError, "also must be one of the losses"),
        ({"temperature": 5}, ValueError, "temperature must be a stop of the slider, 0.5, 1"),
        ({"count": 0}, ValueError, "count must be a whole number from 1 to 397"),
        ({"losses": [kd.SoftTargets()]}, TypeError, "a dictionary of two or more"),
        ({"losses": {"a": kd.SoftTargets()}}, TypeError, "a dictionary of two or more"),
        ({"losses": {"a": kd.SoftTargets(), "b": 3}}, TypeError, "weighted sum of losses"),
        ({"losses": {"a": kd.SoftTargets(), "b": OfFeatures()}}, ValueError, "'b' reads the layers hidden"),
    ],
)
def test_bad_input_is_told_what_was_expected(models, change, kind, message):
    with pytest.raises(kind, match=message):
        explorers.anatomy(*models, **change)


def test_models_of_other_classes_are_refused(models):
    teacher, _, digits = models
    with pytest.raises(ValueError, match="the same classes; got logits .397, 10. and .397, 3."):
        explorers.anatomy(teacher, kd.models.mlp(64, 4, 3), digits)


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("loss", "hinton", "loss must be one of"),
        ("loss", "", "loss must be one of"),
        ("index", 99, "index must be a whole number from 0 to 19"),
        ("temperature", 5.0, "stop of the slider"),
    ],
)
def test_python_cannot_set_what_the_page_could_not_show(view, trait, value, message):
    with pytest.raises(ValueError, match=message):
        setattr(view, trait, value)


def test_the_static_twin_is_small(models):
    assert len(explorers.anatomy(*models).static_html()) < 250_000


def told(page):
    return page.locator(".read-out").inner_text()


def heights(page):
    """The push bars of the first loss, as signed heights in pixels of the picture."""
    bars = page.locator(".push").evaluate_all(
        "(bars) => bars.map((bar) => [Number(bar.getAttribute('y')), Number(bar.getAttribute('height'))])"
    )
    zero = max(y for y, _ in bars)
    return np.array([high if y < zero else -high for y, high in bars])


def pushes(explorer, name):
    return -unpacked(explorer, name)[explorer.temperatures.index(explorer.temperature), explorer.index]


@pytest.mark.browser
def test_the_bars_are_the_gradients_turned_and_scaled(live, view):
    found = heights(live(view)).reshape(10, 2)
    for column, name in enumerate((view.loss, view.against)):
        push = pushes(view, name)
        # 94 pixels stand for a push of 1.
        assert np.allclose(found[:, column] / 94, push / np.linalg.norm(push), atol=1e-4)


@pytest.mark.browser
def test_raw_bars_keep_their_lengths(live, view):
    opened = live(view)
    opened.get_by_label("Raw lengths").press("Space")
    found = heights(opened).reshape(10, 2)
    lengths = [np.linalg.norm(pushes(view, name)) for name in (view.loss, view.against)]
    assert np.linalg.norm(found[:, 1]) / np.linalg.norm(found[:, 0]) == pytest.approx(
        lengths[1] / lengths[0], rel=1e-3
    )
    assert "raw (minus the gradient)" in opened.locator(".pictures > svg").text_content()


@pytest.mark.browser
def test_the_sentence_says_what_the_numbers_say(live, view):
    mine, other = pushes(view, view.loss), pushes(view, view.against)
    mine, other = mine / np.linalg.norm(mine), other / np.linalg.norm(other)
    words = told(live(view))
    assert f"soft targets pushes {mine.argmax()} up most (+{mine.max():.2f})" in words
    assert f"{mine.argmin()} down most (−{-mine.min():.2f})" in words
    assert f"(cosine {mine @ other:.2f})" in words
    assert f"points {np.degrees(np.arccos(mine @ other)):.0f}° away" in words
    most = np.abs(mine - other).argmax()
    assert f"{other[most]:+.2f} instead of {mine[most]:+.2f} on {most}".replace("-", "−") in words


@pytest.mark.browser
def test_at_high_temperature_soft_targets_and_reverse_kl_become_one(live, models):
    opened = live(explorers.anatomy(*models, against="reverse KL", temperature=64.0, count=20))
    degrees = int(told(opened).split("points ")[1].split("°")[0])
    assert degrees <= 5
    opened.get_by_label("Temperature", exact=True).press("Home")
    assert int(told(opened).split("points ")[1].split("°")[0]) > 20


@pytest.mark.browser
def test_a_loss_against_itself_is_no_angle_away(live, models):
    words = told(live(explorers.anatomy(*models, against="soft targets", count=20)))
    assert "0° away (cosine 1.00); the same on every logit" in words


@pytest.mark.browser
def test_a_zero_gradient_is_called_so(live, models):
    teacher, student, digits = models
    words = told(live(explorers.anatomy(teacher, teacher, digits, count=20)))
    assert "soft targets sends no gradient" in words and "does not exist" in words


@pytest.mark.browser
def test_every_control_by_keyboard(live, view):
    opened = live(view)
    before = told(opened)
    opened.get_by_label("Temperature", exact=True).press("ArrowRight")
    assert opened.evaluate("() => model.get('temperature')") == 6 and told(opened).startswith("At T = 6,")
    assert told(opened) != before
    opened.get_by_label("Loss", exact=True).select_option("correlation (DIST)")
    opened.get_by_label("And against").select_option("hard labels")
    assert "correlation (DIST) pushes" in told(opened) and "Hard labels points" in told(opened)
    assert opened.locator(".push").count() == 30 and opened.locator(".key p").count() == 3
    assert "the same at every T" in opened.locator(".key p").last.inner_text()
    picture = opened.locator(".pictures").inner_html()
    opened.get_by_role("radio", checked=True).press("ArrowRight")
    assert opened.evaluate("() => model.get('index')") == (view.index + 1) % 20
    assert opened.locator(".pictures").inner_html() != picture
    assert opened.evaluate("() => document.activeElement.getAttribute('aria-checked')") == "true"


@pytest.mark.browser
def test_follows_python(live, view):
    opened = live(view)
    opened.evaluate("() => { model.set('temperature', 16); model.set('loss', 'hard labels'); }")
    assert told(opened).startswith("At T = 16, hard labels pushes")
    assert opened.get_by_label("Loss", exact=True).input_value() == "hard labels"
    assert opened.locator("output").inner_text() == "T = 16"


@pytest.mark.browser
def test_a_picture_that_cannot_be_drawn_is_told(live, view):
    opened = live(view)
    opened.evaluate("() => model.set('loss', 'hinton')")
    assert "The picture could not be drawn" in told(opened)


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 450, 700, 1920])
def test_never_scrolls_sideways(live, models, width):
    opened = live(explorers.anatomy(*models, also="logit standardisation", count=20), width=width)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
@pytest.mark.parametrize("width", [820, 920])
def test_fits_a_laptop_and_stands_still_while_losses_are_chosen(live, models, width):
    opened = live(explorers.anatomy(*models), width=width)
    panel, found = opened.locator(".kdviz-anatomy"), set()
    for also in ["", *LOSSES]:
        opened.get_by_label("And against").select_option(also)
        found.add(panel.bounding_box()["height"])
    assert len(found) == 1 and found.pop() <= 620
