"""Page 00: one student and its twin, one seed; nothing here is more than an example."""

from kdviz.course.claims import Claim


def right(model, samples, trace) -> float:
    """The accuracy of a model in percent."""
    return 100 * float((trace(model, samples.inputs).logits.argmax(-1) == samples.labels).double().mean())


CLAIMS = [
    Claim(
        "The distilled student starts more slowly and ends well ahead of its twin.",
        live=[
            'run.records[0].measures["accuracy"] < baseline.records[0].measures["accuracy"]',
            "right(run.student, digits.test, kd.trace) > right(baseline.student, digits.test, kd.trace) + 3",
        ],
    ),
    Claim(
        "Which class gets the largest part of the teacher's answer at a very high temperature? → "
        "its first choice, a little above 10 %\n"
        "All ten bars end close to 10 %, and their order has not changed. Move the temperature in "
        "the explorer to its end, and look at them.",
        live=[
            "0.10 < (kd.trace(teacher, digits.test.inputs).logits / 100).softmax(-1).max(-1).values.mean() < 0.12",
            "((kd.trace(teacher, digits.test.inputs).logits / 100).softmax(-1) - 10 / 100).abs().max() < 0.04",
        ],
    ),
]

EXEMPT = {
    "And to know whether the teacher helped, we need a baseline: the same student, from the same initial weights, trained on its 50 labels only.": "a definition",
    "Next: 01 Soft targets: temperature, dark knowledge, and whether it helps.": "an announcement",
    "It is one seed: another split of the images may give another difference.": "what one seed is",
    "Notebook 01 gives both the same images, takes 30 seeds, and adds controls that should fail.": "an announcement",
    "People remember a result better when they first committed to an answer, above all a wrong one.": "known from others' research",
}
