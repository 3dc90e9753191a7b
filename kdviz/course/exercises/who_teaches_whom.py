"""The exercises of notebook 10: the score, the weight at which two students tie, and efficient operations."""

from kdviz.course.exercises.base import Exercise
from kdviz.course.exercises.diagnosis import Mistake, check_numbers
from kdviz.measure import distillation_score

# --- 10.1 the part of the gap that a student recovers


def _gap_calls():
    return [
        {"distilled": 92.0, "baseline": 86.0, "teacher": 98.0},
        {"distilled": 81.0, "baseline": 84.0, "teacher": 97.0},
        {"distilled": 99.0, "baseline": 95.0, "teacher": 97.5},
    ]


def recovered(distilled, baseline, teacher):
    """The share of the gap between baseline and teacher that the distilled student closes."""
    return (distilled - baseline) / (teacher - baseline)


GAP_MISTAKES = (
    Mistake(
        "retained",
        "That is the share of the teacher's accuracy. Most of it the student has without any teacher.",
        lambda distilled, baseline, teacher: distilled / teacher,
    ),
    Mistake(
        "gain",
        "That is the gain in points. Divide it by the gap that there was to close.",
        lambda distilled, baseline, teacher: distilled - baseline,
    ),
    Mistake(
        "gap left",
        "That is the part of the gap that is *left*. The part that was closed is asked.",
        lambda distilled, baseline, teacher: (teacher - distilled) / (teacher - baseline),
    ),
    Mistake(
        "gap from nothing",
        "You divide by the teacher's accuracy. The gap begins at the baseline, not at 0.",
        lambda distilled, baseline, teacher: (distilled - baseline) / teacher,
    ),
    Mistake(
        "clipped",
        "Your share stops at 0 or 1. A student can lose, and it can pass its teacher; both should show.",
        lambda **call: min(1.0, max(0.0, recovered(**call))),
    ),
)


def _grade_gap(answer):
    check_numbers(answer, recovered, _gap_calls(), GAP_MISTAKES)
    return "It is the column `gap_recovered` of `kdviz.measure.distillation_scores`."


# --- 10.2 where two students tie


def _tie_calls():
    return [
        {"size": 0.05, "accuracy": 0.96, "other_size": 0.20, "other_accuracy": 0.99},
        {"size": 0.01, "accuracy": 0.70, "other_size": 0.40, "other_accuracy": 0.97},
    ]


def tie(size, accuracy, other_size, other_accuracy):
    """The weight of size at which two students have the same distillation score."""
    return (other_accuracy - accuracy) / ((other_accuracy - accuracy) + (other_size - size))


TIE_MISTAKES = (
    Mistake(
        "the other side",
        "That is the weight of *accuracy* at the tie. Alpha weighs the size.",
        lambda **call: 1 - tie(**call),
    ),
    Mistake(
        "ratio",
        "That is alpha / (1 - alpha) at the tie. One step is left: solve it for alpha.",
        lambda size, accuracy, other_size, other_accuracy: (other_accuracy - accuracy) / (other_size - size),
    ),
    Mistake(
        "sign",
        "Check a sign: a larger student loses by its size and wins by its accuracy, so the two "
        "differences work against each other.",
        lambda size, accuracy, other_size, other_accuracy: (
            (other_accuracy - accuracy) / ((other_accuracy - accuracy) - (other_size - size))
        ),
    ),
    Mistake(
        "inverse",
        "You have the two differences the wrong way round.",
        lambda size, accuracy, other_size, other_accuracy: (other_size - size) / (other_accuracy - accuracy),
    ),
)


def _grade_tie(answer):
    check_numbers(answer, tie, _tie_calls(), TIE_MISTAKES)
    call = _tie_calls()[0]
    weight = tie(**call)
    score = distillation_score(call["size"], 1.0, call["accuracy"], 1.0, weight)
    return f"In the check's first pair both score {score:.3f} at alpha = {weight:.3f}. Beside it one wins."


# --- 10.3 efficient operations


def _saving_calls():
    return [
        {"inputs": 16, "outputs": 32, "kernel": 3},
        {"inputs": 8, "outputs": 8, "kernel": 5},
    ]


def saving(inputs, outputs, kernel):
    """How many times fewer weights a depth-wise separable convolution has than a full one."""
    return inputs * outputs * kernel**2 / (inputs * kernel**2 + inputs * outputs)


SAVING_MISTAKES = (
    Mistake(
        "upside down",
        "That is the share of the weights that is left. How many times *fewer* is asked.",
        lambda **call: 1 / saving(**call),
    ),
    Mistake(
        "kernel not squared",
        "Your kernel has k weights for each channel. It is k wide and k high.",
        lambda inputs, outputs, kernel: inputs * outputs * kernel / (inputs * kernel + inputs * outputs),
    ),
    Mistake(
        "no mixing",
        "The separable one lacks its second part: the 1 x 1 convolution that mixes the channels.",
        lambda inputs, outputs, kernel: float(outputs),
    ),
    Mistake(
        "one kernel for all",
        "Your depth-wise part has one kernel for all channels. Each input channel has its own.",
        lambda inputs, outputs, kernel: inputs * outputs * kernel**2 / (kernel**2 + inputs * outputs),
    ),
    Mistake(
        "a kernel for each output",
        "Depth-wise, each *input* channel has a kernel. The outputs come from the 1 x 1 convolution.",
        lambda inputs, outputs, kernel: (
            inputs * outputs * kernel**2 / (outputs * kernel**2 + inputs * outputs)
        ),
    ),
)


def _grade_saving(answer):
    check_numbers(answer, saving, _saving_calls(), SAVING_MISTAKES)
    return f"From 16 to 32 channels with 3 x 3 kernels: {saving(16, 32, 3):.1f} times fewer, biases aside."


# --- what the learner sees

EXERCISES = (
    Exercise(
        name="10.1",
        title="How much of the gap?",
        question=(
            "The distillation score does not ask what the student reaches alone. Write `recovered(distilled, "
            "baseline, teacher)`, all three accuracies in percent: the share of the gap between baseline and "
            "teacher that the distilled student has closed. 1 is all of it, a negative share is harm."
        ),
        answer="recovered",
        minutes=5,
        difficulty="easy",
        hints=(
            "Two differences: what the teacher brought, and what there was to bring.",
            "Both differences begin at the baseline.",
        ),
        source="""
def recovered(distilled, baseline, teacher):
    return (distilled - baseline) / (teacher - baseline)
""",
        grade=_grade_gap,
    ),
    Exercise(
        name="10.2",
        title="Where two students tie",
        question=(
            "Two students, one small, the other larger and better. Sizes and accuracies are shares of the "
            "teacher's. Write `tie(size, accuracy, other_size, other_accuracy)`: the weight alpha at which "
            "both have the same distillation score. The first is the small one."
        ),
        answer="tie",
        minutes=10,
        difficulty="medium",
        hints=(
            "Write down both scores, put them equal, and collect alpha on one side.",
            "alpha times the difference in size is (1 - alpha) times the difference in accuracy.",
        ),
        source="""
def tie(size, accuracy, other_size, other_accuracy):
    larger = other_size - size
    better = other_accuracy - accuracy
    return better / (better + larger)
""",
        grade=_grade_tie,
    ),
    Exercise(
        name="10.3",
        title="Efficient operations",
        question=(
            "A convolution from `inputs` to `outputs` channels with k x k kernels and a depth-wise separable "
            "one: a k x k kernel for each input channel, then a 1 x 1 convolution that mixes the channels. "
            "Write `saving(inputs, outputs, kernel)`: how many times fewer weights the second has. No biases."
        ),
        answer="saving",
        minutes=5,
        difficulty="easy",
        hints=(
            "The full one has a k x k kernel for each pair of an input and an output channel.",
            "The separable one has two parts: k x k weights for each input, and one for each pair.",
        ),
        source="""
def saving(inputs, outputs, kernel):
    full = inputs * outputs * kernel ** 2
    separable = inputs * kernel ** 2 + inputs * outputs
    return full / separable
""",
        grade=_grade_saving,
    ),
)
