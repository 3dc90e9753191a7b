"""What passes from teacher to student, and what only seems to."""

from dataclasses import replace

import torch
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from kdviz.course.experiments.arms import (
    from_labels,
    from_teacher,
    logits,
    new_teachers,
    rows,
    starts,
    stopped,
    students,
    usual_teachers,
)
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.datasets.augmentations import noisy
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.measure import accuracy, agreement, calibration_error, negative_log_likelihood, recall
from kdviz.models import mlp
from kdviz.tracing import answer

# Added to a seed, it draws other initial weights and another order of the batches for the same split.
OTHER = 1000


def cast(seeds, labels=50, temperature=4.0, soft_weight=0.9, steps=600):
    """For each seed a split and the networks of notebook 11 by name.

    "student" hears the teacher on all 1,200 training images and knows 50 labels; "student of the poor
    teacher" hears a teacher that saw these 50 labels only. The others never hear a teacher; the "stopped"
    one is as it was when its validation accuracy was best. All but the teachers take as many ``steps``.
    """
    data = [digits(labels=labels, seed=seed) for seed in seeds]
    labelled = [digits(seed=seed) for seed in seeds]
    good, poor = usual_teachers(data), usual_teachers(data, on="labelled")
    objective = (1 - soft_weight) * CrossEntropy() + soft_weight * SoftTargets(temperature)
    begin, others = starts(data, 16), [seed + OTHER for seed in seeds]
    other = [mlp(64, 16, 10, seed=seed) for seed in others]
    alone, best = stopped(from_labels(data, begin, steps=steps))
    arms = {
        "teacher": good,
        "poor teacher": poor,
        "student": from_teacher(data, begin, good, objective, steps=steps),
        "student of the poor teacher": from_teacher(data, begin, poor, objective, steps=steps),
        f"{labels} labels": alone,
        f"{labels} labels, stopped": best,
        f"{labels} labels, other seed": from_labels(data, other, seeds=others, steps=steps),
        "1,200 labels": from_labels(labelled, begin, steps=steps),
    }
    trained = {name: [one.eval() for one in students(arm)] for name, arm in arms.items()}
    return [(part, {name: own[row] for name, own in trained.items()}) for row, part in enumerate(data)]


@result({"steps": (600, 2400)}, tolerance=6.0)
def transferred(seeds, steps):
    """What :func:`answers` says of the cast, which takes 600 steps or four times as many."""
    return [{"steps": steps, **row} for row in answers(cast(seeds, steps=steps))]


@result({"method": ("integrated_gradients", "occlusion")}, tolerance=8.0)
def similar_attributions(seeds, method):
    """What :func:`attributions` says of the cast, by two methods."""
    return [{"method": method, **row} for row in attributions(cast(seeds), method=method)]


def answers(cast):
    """How right each network is, how often it says what either teacher says, and how sure it is."""
    return [row for part, models in cast for row in _answers(part, models)]


def _answers(data, models):
    label = data.test.labels
    said = {name: logits(model, data.test) for name, model in models.items()}
    for name, one in said.items():
        confidence = one.double().softmax(-1).max(-1).values.mean()
        yield {
            "seed": data.seed,
            "arm": name,
            "accuracy": 100 * accuracy(one, label),
            "agreement": 100 * agreement(one, said["teacher"]),
            "agreement_with_poor": 100 * agreement(one, said["poor teacher"]),
            "confidence": 100 * float(confidence),
            "calibration_error": 100 * calibration_error(one, label),
            "negative_log_likelihood": negative_log_likelihood(one, label),
        }


def reliability(cast, names, bins=10):
    """Mean confidence, fraction right and number of images, all seeds together: (bins, 3) by network."""
    tables = {}
    for name in names:
        p = torch.cat([logits(models[name], data.test).double().softmax(-1) for data, models in cast])
        label = torch.cat([data.test.labels for data, _ in cast])
        confidence, answer = p.max(-1)
        bin_of = ((confidence * bins).ceil().long() - 1).clamp(0, bins - 1)
        inside = torch.nn.functional.one_hot(bin_of, bins).double().T
        count = inside.sum(1)
        sums = torch.stack([inside @ confidence, inside @ (answer == label).double()], 1)
        tables[name] = torch.cat([sums / count.clamp(min=1)[:, None], count[:, None]], 1).numpy()
    return tables


PAIRS = {
    "student": ("teacher", "student"),
    "50 labels": ("teacher", "50 labels"),
    "50 labels, stopped": ("teacher", "50 labels, stopped"),
    "1,200 labels": ("teacher", "1,200 labels"),
    "two label-only students": ("50 labels", "50 labels, other seed"),
}


def attributions(cast, images=100, method="integrated_gradients"):
    """How similar two networks' attributions are: the mean rank correlation over images, times 100.

    All are asked about the teacher's answer. The arms are those of ``PAIRS``, and the teacher with the
    student's attributions of other images.
    """
    from kdviz.explain import attribute, rank_correlation

    found = []
    for data, models in cast:
        inputs = data.test.inputs[:images]
        asked = logits(models["teacher"], data.test)[:images].argmax(-1)
        names = {name for pair in PAIRS.values() for name in pair}
        maps = {name: attribute(models[name], inputs, asked, method) for name in names}
        similarity = {arm: rank_correlation(maps[a], maps[b]) for arm, (a, b) in PAIRS.items()}
        similarity["student, other images"] = rank_correlation(maps["teacher"], maps["student"].roll(1, 0))
        found += [
            {"seed": data.seed, "arm": arm, "rank_correlation": 100 * float(values.mean())}
            for arm, values in similarity.items()
        ]
    return found


def rare(data, digit=3, keep=10, images=1080):
    """The same split with only ``keep`` training images of one digit, cut to ``images`` images in all.

    Teacher and student both learn from these, all of them labelled.
    """
    own = (data.train.labels == digit).nonzero().flatten()
    kept = torch.ones(len(data.train), dtype=torch.bool)
    kept[own[keep:]] = False
    few = data.train[kept.nonzero().flatten()[:images]]
    return replace(data, train=few, labelled=few, transfer=few)


@result({"keep": (10, 120), "steps": (600, 2400)}, tolerance=15.0)
def rare_class(seeds, keep=10, digit=3, temperatures=(1.0, 4.0), steps=600):
    """A digit that is rare for teacher and student: the recall of it, and the accuracy on the others.

    ``keep=120`` keeps about as many as of the others and is the control.
    """
    data = [rare(digits(seed=seed), digit, keep) for seed in seeds]
    # Not from the store, which tells splits apart by their settings alone.
    taught_by, begin = new_teachers(data, 256), starts(data, 16)
    arms = {"teacher": taught_by, "hard labels": from_labels(data, begin, steps=steps)}
    for t in temperatures:
        objective = 0.1 * CrossEntropy() + 0.9 * SoftTargets(t)
        arms[f"soft targets, T = {t:g}"] = from_teacher(data, begin, taught_by, objective, steps=steps)

    def recalls(model, part):
        said, label = logits(model, part.test), part.test.labels
        others = label != digit
        return {
            "accuracy": 100 * accuracy(said, label),
            "recall": 100 * recall(said, label, digit),
            "accuracy_on_others": 100 * accuracy(said[others], label[others]),
        }

    return rows(data, arms, recalls, keep=keep, steps=steps)


# --- a tree as student

LEAVES = (8, 16, 64)
MADE = 5000
NOISY = noisy(0.3)


@result({"labels": (100,)}, tolerance=4.0)
def trees(seeds, labels=100):
    """Decision trees that learn labels, the teacher's probabilities, and what it says about made images.

    Images are "made" by noise, 5,000 of them, from those of the training part. A control gives each of them
    the label of the image that it was made from. ``stability`` compares a tree with another one on a sample
    drawn anew in the same way: of the pixels that one of the two asks about in its first three questions,
    those that both do, times 100.
    """
    data = [digits(labels=labels, seed=seed) for seed in seeds]
    return [
        {"seed": part.seed, "labels": labels, "arm": arm, "leaves": leaves, **_judged(*two, part, teacher)}
        for part, teacher in zip(data, usual_teachers(data), strict=True)
        for arm, draw in tree_lessons(part, teacher).items()
        for leaves in LEAVES
        for two in [[grown(draw, leaves, 2 * part.seed + number) for number in range(2)]]
    ]


def tree_lessons(data, teacher):
    """For each arm a function of a generator that draws images, and what a tree is to answer to them."""

    def bootstrap(samples, says):
        def draw(random):
            picked = torch.randint(len(samples), (len(samples),), generator=random)
            return samples.inputs[picked], says[picked]

        return draw

    def made(by_teacher):
        def draw(random):
            picked = torch.randint(len(data.train), (MADE,), generator=random)
            images = NOISY(data.train.inputs[picked], random)
            return images, _first_choice(teacher, images) if by_teacher else data.train.labels[picked]

        return draw

    soft = (logits(teacher, data.train) / 4).softmax(-1)
    return {
        "100 labels": bootstrap(data.labelled, data.labelled.labels),
        "all labels": bootstrap(data.train, data.train.labels),
        "soft targets": bootstrap(data.train, soft),
        "made images, teacher": made(by_teacher=True),
        "made images, labels": made(by_teacher=False),
    }


def _first_choice(teacher, images):
    return answer(teacher, images).logits.argmax(-1)


def grown(draw, leaves, seed):
    """A tree with at most so many leaves, on images drawn with this seed; probabilities are regressed on."""
    images, says = draw(torch.Generator().manual_seed(seed))
    kind = DecisionTreeRegressor if says.is_floating_point() else DecisionTreeClassifier
    return kind(max_leaf_nodes=leaves, random_state=0).fit(images.flatten(1).numpy(), says.numpy())


def tree_says(tree, images):
    """The class that a tree answers to each image."""
    said = torch.from_numpy(tree.predict(images.flatten(1).numpy()))
    return said.argmax(-1) if said.ndim == 2 else said


def first_questions(tree, depth=3):
    """The pixels that a tree asks about in its first questions."""
    left, right, pixel = tree.tree_.children_left, tree.tree_.children_right, tree.tree_.feature
    level, asked = [0], set()
    for _ in range(depth):
        level = [node for node in level if left[node] >= 0]
        asked |= {int(pixel[node]) for node in level}
        level = [child for node in level for child in (left[node], right[node])]
    return asked


def _judged(tree, other, data, teacher):
    says, taught = tree_says(tree, data.test.inputs), _first_choice(teacher, data.test.inputs)
    one, two = first_questions(tree), first_questions(other)
    return {
        "accuracy": 100 * float((says == data.test.labels).double().mean()),
        "agreement": 100 * float((says == taught).double().mean()),
        "stability": 100 * len(one & two) / len(one | two),
    }
