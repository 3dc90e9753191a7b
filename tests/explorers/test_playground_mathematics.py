"""The playground's JavaScript agrees with torch: same weights and batches in, same students out."""

from base64 import b64encode
from pathlib import Path

import pytest
import torch

import kdviz.explorers
from kdviz.explorers.base import bundle
from kdviz.explorers.playground_explorer import (
    STORIES,
    TEACHER_STEPS,
    packed,
    playground_data,
    playground_teacher,
)
from kdviz.losses.response import cross_entropy, soft_targets
from kdviz.models import mlp
from kdviz.training.updates import cosine

pytestmark = pytest.mark.browser

ENGINE = Path(kdviz.explorers.__file__).parent / "playground_explorer" / "engine.js"
FEW = {
    "labels": 50, "width": 16, "temperature": 4, "soft_weight": 0.9, "learning_rate": 0.005,
    "unlabelled": False, "label_noise": 0, "early_teacher": False, "omit": None, "permuted": False, "seed": 0,
}  # fmt: skip
LESSONS = {
    "few labels": FEW,
    "unlabelled images too": {**FEW, "unlabelled": True, "soft_weight": 0.5, "seed": 3},
    "no labels in the loss": {**FEW, "unlabelled": True, "soft_weight": 1, "temperature": 1},
    "noisy": {**FEW, "labels": 1000, "label_noise": 0.4, "width": 32, "seed": 1},
    "permuted": {**FEW, "permuted": True, "labels": 100, "seed": 2},
    "no 3": {**FEW, "labels": 1200, "omit": 3, "temperature": 8, "soft_weight": 1},
    "early": {**FEW, "early_teacher": True, "seed": 4},
    "ten labels": {**FEW, "labels": 10, "width": 8},
}
COMPUTE = """async ([url, packed, settings, steps]) => {
  const m = await import(url), data = m.dataOf(packed);
  const pair = new m.Pair(data, settings), plain = (values) => Array.from(values);
  const first = pair.students.map(({ net, lesson }, which) => {
    const batch = m.batches(lesson.rows.length, settings.seed).next().value;
    const gradient = m.network(net.hidden, new Float64Array(net.weights.length));
    const objective = which === m.LABEL_ONLY ? { soft_weight: 0, temperature: 1 } : settings;
    const loss = m.lossAndGradient(net, data.inputs, lesson, batch, objective, gradient);
    return { loss, gradient: plain(gradient.weights) };
  });
  const starts = pair.students.map(({ net }) => plain(net.weights));
  for (let step = 0; step < steps; step++) pair.advance();
  return pair.students.map(({ net, lesson }, which) => {
    const rows = m.batches(lesson.rows.length, settings.seed);
    return {
      rows: lesson.rows, labels: lesson.labels, taught: plain(lesson.taught), start: starts[which],
      ...first[which], end: plain(net.weights), record: pair.records.at(-1),
      batches: Array.from({ length: steps }, () => rows.next().value),
    };
  });
}"""
TEACHING = """async ([url, packed]) => {
  const m = await import(url), data = m.dataOf(packed);
  return {
    inputs: Array.from(data.inputs), truth: Array.from(data.truth),
    teachers: [...data.teachers].map(([name, { say, labels }]) => ({
      name, logits: [...data.truth].flatMap((_, row) => [...say(row)]), labels: Array.from(labels),
    })),
  };
}"""
STEPS = 100


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture(scope="module")
def evaluate(page):
    url = "data:text/javascript;base64," + b64encode(bundle(ENGINE).encode()).decode()
    return lambda code, *values: page.evaluate(code, [url, packed(), *values])


@pytest.fixture(scope="module")
def known(evaluate):
    return evaluate(TEACHING)


@pytest.fixture(scope="module", params=LESSONS, ids=str)
def students(request, evaluate):
    settings = LESSONS[request.param]
    return settings, evaluate(COMPUTE, settings, STEPS)


def double(values, *shape):
    return torch.tensor(values, dtype=torch.float64).reshape(shape or -1)


def near(given, expected, tolerance):
    torch.testing.assert_close(given, expected, rtol=tolerance, atol=tolerance)


def inputs_of(known):
    return double(known["inputs"], -1, 64)


def network(width, weights):
    """torch's student with the weights that JavaScript drew."""
    model = mlp(64, width, 10).double()
    torch.nn.utils.vector_to_parameters(double(weights), model.parameters())
    return model


def loss_of(model, inputs, student, settings, batch, baseline):
    labels = torch.tensor(student["labels"])[batch]
    logits = model(inputs[torch.tensor(student["rows"])[batch]])
    if baseline:
        return cross_entropy(logits, labels)
    taught = double(student["taught"], -1, 10)[batch]
    hard, soft = cross_entropy(logits, labels), soft_targets(logits, taught, settings["temperature"])
    return (1 - settings["soft_weight"]) * hard + settings["soft_weight"] * soft


def test_images_labels_and_teachers_arrive_as_they_were_packed(known):
    data = playground_data()
    parts = data.train, data.test, data.validation
    every = torch.cat([part.inputs for part in parts]).flatten(1).double()
    near(inputs_of(known), every, 1e-6)
    assert known["truth"] == torch.cat([part.labels for part in parts]).tolist()
    kinds = {f"{noise:g}": (noise, False) for noise in TEACHER_STEPS} | {"early": (0.0, True)}
    assert [teacher["name"] for teacher in known["teachers"]] == list(kinds)
    for given in known["teachers"]:
        noise, early = kinds[given["name"]]
        near(double(given["logits"], -1, 10), playground_teacher(noise, early).double()(every), 1e-5)
        assert given["labels"] == playground_data(noise).train.labels.tolist()


def teacher_of(known, settings):
    name = "early" if settings["early_teacher"] else f"{settings['label_noise']:g}"
    return next(teacher for teacher in known["teachers"] if teacher["name"] == name)


def test_the_teacher_saw_no_test_image():
    data = playground_data()
    assert not set(data.train.indices.tolist()) & set(data.test.indices.tolist())
    # Half precision costs it nothing that would show.
    right = playground_teacher()(data.test.inputs).argmax(1) == data.test.labels
    assert right.double().mean() > 0.95
    # The one that stops early misreads as many as its story says.
    early = playground_teacher(early=True)(data.test.inputs).argmax(1) == data.test.labels
    assert f"about {100 * (1 - early.double().mean()):.0f} images in 100" in STORIES[-2]["question"]


def test_first_loss_and_gradient_are_torchs(students, known):
    settings, both = students
    for which, student in enumerate(both):
        model = network(settings["width"], student["start"])
        loss = loss_of(model, inputs_of(known), student, settings, student["batches"][0], which == 0)
        loss.backward()
        near(double([student["loss"]]), loss.detach().reshape(1), 1e-6)
        gradient = torch.cat([part.grad.flatten() for part in model.parameters()])
        near(double(student["gradient"]), gradient, 1e-6)
        assert gradient.norm() > 0.01


def test_a_hundred_steps_of_adam_are_torchs(students, known):
    settings, both = students
    inputs = inputs_of(known)
    for which, student in enumerate(both):
        model = network(settings["width"], student["start"])
        optimizer = torch.optim.Adam(model.parameters())
        for step, batch in enumerate(student["batches"]):
            optimizer.zero_grad()
            loss_of(model, inputs, student, settings, batch, which == 0).backward()
            for group in optimizer.param_groups:
                group["lr"] = settings["learning_rate"] * cosine(step, 600)
            optimizer.step()
        end = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
        near(double(student["end"]), end, 1e-4)
        assert (end - double(student["start"])).norm() > 0.5
        examined(model, student, inputs, known, which)


def examined(model, student, inputs, known, which):
    test, truth = inputs[1200:1597], torch.tensor(known["truth"])[1200:1597]
    with torch.no_grad():
        logits = model(test)
    record = student["record"]
    assert record["step"] == STEPS
    assert record["accuracy"][which] == pytest.approx(
        100 * (logits.argmax(1) == truth).double().mean().item()
    )
    assert record["loss"][which] == pytest.approx(cross_entropy(logits, truth).item(), abs=1e-4)


def test_both_start_alike_and_see_the_same_batches(students):
    settings, (baseline, distilled) = students
    assert baseline["start"] == distilled["start"]
    if settings["unlabelled"]:
        assert len(distilled["rows"]) == 1200 and len(baseline["rows"]) == settings["labels"]
    else:
        assert (baseline["batches"], baseline["rows"]) == (distilled["batches"], distilled["rows"])


def test_the_students_see_what_they_should(students, known):
    settings, both = students
    truth, given = known["truth"], teacher_of(known, settings)
    seen = [row for row in range(1200) if truth[row] != settings["omit"]]
    for student in both:
        assert set(student["rows"]) <= set(seen) and len(set(student["rows"])) == len(student["rows"])
        labelled = [
            (row, label) for row, label in zip(student["rows"], student["labels"], strict=True) if label >= 0
        ]
        assert len(labelled) == min(settings["labels"], len(seen))
        assert all(label == given["labels"][row] for row, label in labelled)
        counts = torch.bincount(torch.tensor([truth[row] for row, _ in labelled]), minlength=10)
        counts = counts[counts > 0]
        if settings["labels"] <= 100:
            assert len(counts) == 10 and counts.max() - counts.min() <= 1


def test_teachers_words_are_its_own_or_in_another_order(students, known):
    settings, (_, student) = students
    given = teacher_of(known, settings)
    own = double(given["logits"], -1, 10)[student["rows"]]
    told = double(student["taught"], -1, 10)
    if not settings["permuted"]:
        assert torch.equal(told, own)
        return
    assert torch.equal(told.sort(1).values, own.sort(1).values)
    labels = torch.tensor(student["labels"])[:, None]
    assert torch.equal(told.gather(1, labels), own.gather(1, labels))
    moved = (told != own).any(1).double().mean()
    assert moved > 0.9


def test_batches_are_epochs_without_their_short_end(evaluate):
    found = evaluate(
        """async ([url, packed, counts]) => {
          const m = await import(url);
          return counts.map((count) => {
            const rows = m.batches(count, 5);
            return Array.from({ length: 2 * Math.max(1, Math.floor(count / 64)) }, () => rows.next().value);
          });
        }""",
        [10, 64, 200, 1200],
    )
    for count, drawn in zip([10, 64, 200, 1200], found, strict=True):
        assert {len(batch) for batch in drawn} == {min(64, count)}
        half = len(drawn) // 2
        epochs = [sorted(place for batch in part for place in batch) for part in (drawn[:half], drawn[half:])]
        assert all(len(set(epoch)) == len(epoch) and max(epoch) < count for epoch in epochs)
        assert drawn[0] != drawn[half]


def test_a_seed_draws_even_numbers_that_no_other_seed_draws(evaluate):
    drawn = evaluate(
        """async ([url]) => {
          const m = await import(url);
          return [0, 1, 2].map((seed) => {
            const next = m.random(seed, "weights");
            return Array.from({ length: 20000 }, next);
          });
        }"""
    )
    for values in map(double, drawn):
        assert 0 <= values.min() and values.max() < 1
        assert torch.histc(values, 10).sub(2000).abs().max() < 5 * 2000**0.5
        assert torch.corrcoef(torch.stack([values[1:], values[:-1]]))[0, 1].abs() < 0.03
    assert torch.corrcoef(torch.stack([double(part) for part in drawn])).triu(1).abs().max() < 0.03


def test_a_change_on_the_way_and_its_replay_end_alike(evaluate):
    live, replayed, unchanged = evaluate(
        """async ([url, packed, settings]) => {
          const m = await import(url), data = m.dataOf(packed);
          const live = new m.Pair(data, settings);
          while (live.step < 37) live.advance();
          live.set("temperature", 1);
          while (live.step < 90) live.advance();
          live.set("learning_rate", 0.001);
          const later = new m.Pair(data, settings, live.finish().changes).finish();
          return [live, later, new m.Pair(data, settings).finish()].map((pair) => pair.records);
        }""",
        FEW,
    )
    assert live == replayed
    assert live != unchanged and live[:7] == unchanged[:7]


STOPPING = """async ([url, packed, settings]) => {
  const m = await import(url), data = m.dataOf(packed);
  const pair = new m.Pair(data, settings), seen = [];
  const weights = () => pair.students.map(({ net }) => [...net.weights]);
  const note = () => seen.push({ step: pair.step, weights: weights() });
  note();
  while (pair.step < 100) {
    pair.advance();
    if (pair.step % m.RECORD_EVERY === 0) note();
  }
  const stops = pair.stops().map(({ step, accuracy, said }) => ({ step, accuracy, said: [...said] }));
  return { seen, stops, rows: pair.validation };
}"""


@pytest.mark.parametrize("name", ["noisy", "no 3"])
def test_a_stop_is_the_first_best_step_on_validation_images_alone(evaluate, name):
    settings, data = LESSONS[name], playground_data()
    found = evaluate(STOPPING, settings)
    validation, test = data.validation, data.test
    kept = validation.labels != (-1 if settings["omit"] is None else settings["omit"])
    first = len(data.train) + len(test)
    assert found["rows"] == (first + kept.nonzero().flatten()).tolist()
    for who, stop in enumerate(found["stops"]):
        models = [network(settings["width"], seen["weights"][who]) for seen in found["seen"]]
        images = validation.inputs[kept].flatten(1).double()
        right = [int((model(images).argmax(1) == validation.labels[kept]).sum()) for model in models]
        chosen = right.index(max(right))
        assert stop["step"] == found["seen"][chosen]["step"] > 0
        said = models[chosen](test.inputs.flatten(1).double()).argmax(1)
        assert stop["said"] == said.tolist()
        assert stop["accuracy"] == pytest.approx(100 * float((said == test.labels).double().mean()))
