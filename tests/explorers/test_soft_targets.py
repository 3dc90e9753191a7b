import json
import re

import numpy as np
import pytest
import torch
from traitlets import TraitError

import kdviz
from kdviz.explorers import SoftTargetExplorer, soft_targets
from kdviz.explorers.base import STATIC_PAGES
from kdviz.explorers.wire import unpack
from kdviz.models import mlp

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    return {
        "images": random.random((6, 8, 8)),
        "labels": np.array([0, 1, 2, 3, 9, 5]),
        "teacher_logits": random.normal(size=(6, 10)),
        "student_logits": random.normal(size=(6, 10)),
        "classes": "0123456789",
    }


def test_begins_with_the_best_wrong_class_written_out(arrays):
    explorer = SoftTargetExplorer.from_logits(**arrays, index=2, temperature=8)
    wrong = arrays["teacher_logits"][2].copy()
    wrong[2] = -np.inf
    assert explorer.class_index == wrong.argmax()
    assert (explorer.index, explorer.temperature) == (2, 8.0)
    assert not explorer.permuted and not explorer.log_scale


def test_takes_tensors_and_arrays_alike(arrays):
    tensors = {
        name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        for name, value in arrays.items()
    }
    tensors["images"] = tensors["images"].unsqueeze(1)
    expected = SoftTargetExplorer.from_logits(**arrays).static_state()
    assert SoftTargetExplorer.from_logits(**tensors).static_state() == expected


def test_permutations_are_fixed_and_leave_the_true_class(arrays):
    explorer = SoftTargetExplorer.from_logits(**arrays)
    again = SoftTargetExplorer.from_logits(**arrays)
    assert np.array_equal(explorer.permutations, again.permutations)
    for permutation, label in zip(explorer.permutations.tolist(), explorer.labels, strict=True):
        assert sorted(permutation) == list(range(10))
        assert permutation[label] == label
        assert permutation != list(range(10))
    assert len({tuple(permutation) for permutation in explorer.permutations}) > 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((5, 8, 8))}, r"shape \(6, height, width\)"),
        ({"images": np.zeros((6, 2, 8, 8))}, "must be grey"),
        ({"images": np.full((6, 8, 8), -0.4)}, "inputs \\+ data.mean"),
        ({"images": ["a text"] * 5}, "must be 6 texts, one for each row of logits; got 5"),
        ({"labels": np.arange(5)}, r"shape \(6,\)"),
        ({"labels": np.full(6, 10)}, "from 0 to 9"),
        ({"labels": np.full(6, -1)}, "from 0 to 9"),
        ({"labels": np.full(6, 0.5)}, "whole numbers"),
        ({"teacher_logits": np.zeros((6, 9))}, r"teacher_logits must have shape \(images, 10\)"),
        ({"student_logits": np.zeros((5, 10))}, "the same shape"),
        ({"student_logits": np.full((6, 10), np.nan)}, "student_logits must hold finite"),
        ({"teacher_logits": np.zeros((0, 10))}, "got \\(0, 10\\)"),
        ({"teacher_logits": [["a"]]}, "table of numbers"),
        ({"classes": ["one"]}, "two classes or more"),
        ({"index": 6}, "index must be a whole number from 0 to 5; got 6"),
        ({"temperature": 0}, "temperature must be a number from 0.5 to 100"),
        ({"temperature": float("nan")}, "temperature must be a number"),
        ({"temperature": "hot"}, "temperature must be a number"),
    ],
)
def test_bad_input_is_explained(arrays, change, message):
    with pytest.raises(ValueError, match=message):
        SoftTargetExplorer.from_logits(**{**arrays, **change})


def test_what_a_reader_sets_python_sets_and_cannot_break(arrays):
    explorer = SoftTargetExplorer.from_logits(**arrays)
    explorer.set_state({"temperature": 20.0, "index": 3, "permuted": True})
    assert (explorer.temperature, explorer.index, explorer.permuted) == (20.0, 3, True)
    for name, value in {"temperature": 0.1, "index": 6, "class_index": -1}.items():
        with pytest.raises((ValueError, TraitError), match=name):
            setattr(explorer, name, value)
    assert (explorer.temperature, explorer.index) == (20.0, 3)


def test_shows_as_a_widget_and_where_a_site_is_built_as_its_static_twin(arrays, monkeypatch):
    explorer = SoftTargetExplorer.from_logits(**arrays)
    assert "text/html" not in explorer._repr_mimebundle_()[0]
    monkeypatch.setenv(STATIC_PAGES, "1")
    data, _ = explorer._repr_mimebundle_()
    assert data[WIDGET]["model_id"] == explorer.model_id
    assert data["text/html"] == explorer.static_html()
    assert data["text/plain"] == "SoftTargetExplorer(6 images, 10 classes, temperature=4)"


def test_texts_stand_in_place_of_images(arrays):
    texts = [f"sentence {number}" for number in range(6)]
    explorer = SoftTargetExplorer.from_logits(**{**arrays, "images": texts})
    assert explorer.texts == texts and explorer.images.size == 0
    assert repr(explorer) == "SoftTargetExplorer(6 texts, 10 classes, temperature=4)"
    assert saved_state(explorer.static_html())["texts"] == texts


def saved_state(page):
    found = re.search(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    return json.loads(found[1])


def test_the_twin_holds_the_present_state_and_none_of_the_widgets_own(arrays):
    explorer = SoftTargetExplorer.from_logits(**arrays)
    explorer.temperature = 32
    state = saved_state(explorer.static_html())
    assert state["temperature"] == 32
    assert unpack(state["teacher_logits"]).tolist() == arrays["teacher_logits"].tolist()
    assert not {"layout", "_esm", "tooltip", "_css"} & set(state)


def test_no_name_can_end_the_script(arrays):
    classes = ["</script><script>alert(1)</script>", "<!--<script>", *"23456789"]
    page = SoftTargetExplorer.from_logits(**{**arrays, "classes": classes}).static_html()
    assert saved_state(page)["classes"] == classes
    assert len(re.findall(r"</script", page, re.IGNORECASE)) == 2
    assert "<!--" not in page


def test_the_module_cannot_end_the_script(arrays):
    class Tricky(SoftTargetExplorer):
        _esm = "const end = '</SCRIPT>'; /* <!-- */ export function render() {}\n"

    page = Tricky.from_logits(**arrays).static_html()
    assert "'<\\/SCRIPT>'" in page
    assert len(re.findall(r"</script", page, re.IGNORECASE)) == 2


def test_nothing_is_fetched(arrays):
    page = SoftTargetExplorer.from_logits(**arrays).static_html()
    addresses = set(re.findall(r"https?://[^\"' ]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of a namespace, never fetched


class TestOnModels:
    data = kdviz.datasets.digits()
    teacher = mlp(64, 32, 10, seed=1)
    student = mlp(64, 16, 10, seed=2)

    def test_offers_every_class_alike_and_always_the_same(self):
        explorer = soft_targets(self.teacher, self.student, self.data, count=40)
        assert explorer.labels == sorted(list(range(10)) * 4)
        again = soft_targets(self.teacher, self.student, self.data, count=40)
        assert again.static_state() == explorer.static_state()

    def test_offers_the_images_with_the_largest_wrong_answers(self):
        explorer = soft_targets(self.teacher, self.student, self.data, count=10)
        with torch.no_grad():
            logits = self.teacher(self.data.test.inputs).double()
        wrong = logits.softmax(1)
        wrong[torch.arange(len(wrong)), self.data.test.labels] = 0
        for row, label in enumerate(explorer.labels):
            of_class = torch.nonzero(self.data.test.labels == label)[:, 0]
            best = of_class[wrong[of_class].max(1).values.argmax()]
            assert explorer.teacher_logits[row].tolist() == logits[best].tolist()

    def test_shows_the_pixels_and_not_the_centred_inputs(self):
        explorer = soft_targets(self.teacher, self.student, self.data, count=10)
        state = explorer.static_state()
        pixels = 255 * unpack(state["images"])
        assert pixels.shape == (10, 8, 8)
        every = (self.data.test.inputs + self.data.mean)[:, 0].mul(255).round().numpy()
        assert all((np.abs(every - image) <= 1).all((1, 2)).any() for image in pixels)

    def test_leaves_the_models_modes_as_they_were(self):
        teacher = torch.nn.Sequential(mlp(64, 8, 10), torch.nn.Dropout(0.5))
        teacher[0].eval()
        soft_targets(teacher, self.student, self.data, count=10)
        assert teacher.training and teacher[1].training and not teacher[0].training

    @pytest.mark.parametrize("count", [0, 398, 2.5, True])
    def test_a_bad_count_is_explained(self, count):
        with pytest.raises(ValueError, match="count must be a whole number from 1 to 397"):
            soft_targets(self.teacher, self.student, self.data, count=count)
