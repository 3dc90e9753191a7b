"""Another sense: one that is made up, and long tones for short ones."""

from copy import deepcopy
from dataclasses import replace

from kdviz.course.experiments.arms import answers, from_labels, from_teacher, logits, rows, students
from kdviz.course.experiments.n19_another_sense import (
    KNOWN,
    PAIRS,
    SOFT,
    STEPS,
    labelled,
    mispaired,
    network,
    only,
    senses,
    taught,
)
from kdviz.course.results import result
from kdviz.datasets.dataset import PARTS
from kdviz.losses.feature import Hint
from kdviz.losses.response import CrossEntropy
from kdviz.measure import accuracy
from kdviz.models import Reads, mlp
from kdviz.schemes import distill, train

# --- what is missing, made up


def halluciner(seed):
    """An ear whose second hidden layer is as wide as the eye's only one."""
    return Reads(network("tone", 64, 32, seed=500 + seed), "tone")


def hallucination(eye, data, steps=100):
    """An ear that answers as if it saw: it learns the eye's hidden layer, and has the eye's last one.

    The hallucination network of Hoffman, Gupta and Darrell 2016, *Learning with Side Information through
    Modality Hallucination*, in two steps: they train it together with the networks that see.
    """
    hint = Hint("network.activation2", "network.activation1", adapter=None)
    run = distill(eye, halluciner(data.seed), data, hint, steps=steps, record_every=steps).finish()
    made_up = run.student
    made_up.network.logits = deepcopy(eye.network.logits)
    return made_up


def together(networks, samples):
    """How often the sum of several networks' logits is right, in percent."""
    return 100 * accuracy(sum(logits(one, samples) for one in networks), samples.labels)


@result({"labels": (KNOWN, PAIRS)}, tolerance=8.0)
def hallucinated(seeds, labels, hiss=2.0, steps=100):
    """An ear with 50 labels or all 600, and beside it one that makes up what an eye would see.

    The eye is there while training only. The rivals are a second ear on the same labels, and one taught by
    the eye's soft answers. In the control the pairs are exchanged. ``image there`` has the eye itself.
    """
    found = []
    for seed in seeds:
        data = senses(seed, hiss)
        own = data if labels == KNOWN else labelled(data)
        recipe = {"steps": steps, "record_every": steps}
        eye = train(Reads(network("image", 32, seed=seed), "image"), data, on="train", steps=400).finish()
        ears = [
            train(start, own, **recipe).finish().student
            for start in (Reads(network("tone", 32, seed=seed), "tone"), halluciner(seed))
        ]
        shuffled = mispaired(data, 1.0)
        second = {
            "second ear": ears[1],
            "hallucination": hallucination(eye.student, data),
            "hallucination, exchanged": hallucination(eye.student, shuffled),
            "taught ear": distill(eye.student, halluciner(seed), data, SOFT, **recipe).finish().student,
            "image there": eye.student,
        }
        alone = {"ear alone": ears[:1], "taught ear alone": [second["taught ear"]]}
        pairs_of = {arm: [ears[0], one] for arm, one in second.items()} | alone
        found += [
            {
                "seed": seed,
                "labels": labels,
                "arm": arm,
                "validation_accuracy": together(own, data.validation),
                "accuracy": together(own, data.test),
            }
            for arm, own in pairs_of.items()
        ]
    return found


# --- a long tone teaches a short one


@result({"hiss": (2.0, 3.0)}, tolerance=8.0)
def long_and_short(seeds, hiss, heard=48):
    """Students that hear the first 48 numbers of a tone, taught by one that hears all 96 of the same tone.

    The teachers know the labels of their half; 600 other tones have none, or (``labels``) theirs too.
    """
    full = [only(senses(seed, hiss), "tone") for seed in seeds]

    def cut(part):
        return replace(
            part,
            **{
                name: replace(own, inputs=own.inputs[:, :heard])
                for name in PARTS
                if (own := getattr(part, name))
            },
        )

    short = [cut(part) for part in full]
    known = [labelled(part) for part in short]
    long_ears, begin = taught(full, "tone"), [mlp(heard, 32, 10, seed=seed) for seed in seeds]
    big = [mlp(heard, 256, 10, seed=seed) for seed in seeds]
    short_ears = students(from_labels(short, big, on="train", steps=300, learning_rate=3e-3))
    recipe = {"steps": STEPS["tone"], "record_every": STEPS["tone"]}
    both = 0.5 * CrossEntropy() + 0.5 * SOFT
    arms = {
        "labels": from_labels(known, begin, **recipe),
        "long": from_teacher(short, begin, answers(long_ears, full), SOFT, **recipe),
        "short": from_teacher(short, begin, answers(short_ears, short), SOFT, **recipe),
        "long and labels": from_teacher(known, begin, answers(long_ears, full), both, **recipe),
        "short and labels": from_teacher(known, begin, answers(short_ears, short), both, **recipe),
    }
    return rows(short, arms, hiss=hiss)
