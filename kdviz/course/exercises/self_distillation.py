"""The exercises of notebook 09: what a generation keeps, the average of oneself, and the cost of exits."""

import torch

from kdviz.course.exercises.base import Exercise
from kdviz.course.exercises.diagnosis import Mistake, check_numbers

# --- 9.1 what a generation keeps


def _kept_calls():
    return [
        {"eigenvalue": 2.0, "ridge": 0.5, "generation": 3},
        {"eigenvalue": 0.3, "ridge": 0.2, "generation": 0},
        {"eigenvalue": 1.5, "ridge": 0.1, "generation": 7},
    ]


def kept(eigenvalue, ridge, generation):
    """The share of the targets that generation keeps along a direction; generation 0 saw the points."""
    return (eigenvalue / (eigenvalue + ridge)) ** (generation + 1)


KEPT_MISTAKES = (
    Mistake(
        "one too few",
        "Generation 0 is a fit already, so it has the factor once. How often has generation g?",
        lambda eigenvalue, ridge, generation: (eigenvalue / (eigenvalue + ridge)) ** generation,
    ),
    Mistake(
        "lost",
        "That is the share that is lost. What is kept is asked.",
        lambda **call: 1 - kept(**call),
    ),
    Mistake(
        "ridge in front",
        "Your factor is large where the ridge is large. A strong ridge keeps little.",
        lambda eigenvalue, ridge, generation: (ridge / (eigenvalue + ridge)) ** (generation + 1),
    ),
    Mistake(
        "times",
        "You multiply the factor by the number of fits. Each fit is made to the one before: it is a power.",
        lambda eigenvalue, ridge, generation: (generation + 1) * eigenvalue / (eigenvalue + ridge),
    ),
    Mistake(
        "ridge grows",
        "That is one fit with a ridge as large as all of them together. Several fits are sharper than that.",
        lambda eigenvalue, ridge, generation: eigenvalue / (eigenvalue + (generation + 1) * ridge),
    ),
)


def _grade_kept(answer):
    check_numbers(answer, kept, _kept_calls(), KEPT_MISTAKES)
    return "It is the height of the bars in the explorer, and all that self-distillation does there."


# --- 9.2 the average of oneself


def _average_calls():
    return [
        {"before": 0.2, "now": 1.0, "step": 500, "decay": 0.99},
        {"before": -0.4, "now": 0.6, "step": 3, "decay": 0.99},
        {"before": 1.0, "now": 0.0, "step": 1, "decay": 0.9},
    ]


def averaged(before, now, step, decay):
    """The mean teacher's weight after a step: its decay grows at first."""
    share = min(1 - 1 / (step + 1), decay)
    return share * before + (1 - share) * now


AVERAGE_MISTAKES = (
    Mistake(
        "constant decay",
        "In the first steps your average hardly leaves where it began: its decay is the full one at once. "
        "Which of the two numbers in the question is smaller then?",
        lambda before, now, step, decay: decay * before + (1 - decay) * now,
    ),
    Mistake(
        "other way round",
        "Your average follows the student at once: the decay is the share of the *old* average.",
        lambda before, now, step, decay: averaged(now, before, step, decay),
    ),
    Mistake(
        "larger of the two",
        "You take the larger of the two shares. The smaller one lets the average keep up early.",
        lambda before, now, step, decay: (
            (share := max(1 - 1 / (step + 1), decay)) * before + (1 - share) * now
        ),
    ),
    Mistake(
        "off by one",
        "Your share after step t is 1 - 1/t. With 1 - 1/(t + 1) the first step already counts two networks.",
        lambda before, now, step, decay: (share := min(1 - 1 / step, decay)) * before + (1 - share) * now,
    ),
    Mistake(
        "never forgets",
        "That is the plain mean of all steps. After a while the decay has to take over, so that it forgets.",
        lambda before, now, step, decay: (step * before + now) / (step + 1),
    ),
)


def _grade_average(answer):
    check_numbers(answer, averaged, _average_calls(), AVERAGE_MISTAKES)
    return "It is what `kdviz.schemes.mean_teacher` does with each of its weights."


# --- 9.3 what leaving early costs


def _cost_calls():
    random = torch.Generator().manual_seed(0)
    return [
        {
            "confidences": torch.rand(3, count, generator=random, dtype=torch.float64),
            "costs": torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64),
            "threshold": threshold,
        }
        for count, threshold in ((40, 0.6), (25, 0.9))
    ]


def mean_cost(confidences, costs, threshold):
    """The mean cost of an image that leaves at the first exit that is sure, or at the last."""
    sure = confidences >= threshold
    sure[-1] = True
    return float(costs[sure.int().argmax(0)].mean())


def _with_exits(place):
    def cost(confidences, costs, threshold):
        return float(costs[place(confidences, threshold)].mean())

    return cost


def _no_last(confidences, threshold):
    return (confidences >= threshold).int().argmax(0)


def _last_sure(confidences, threshold):
    sure = confidences >= threshold
    sure[-1] = True
    return len(sure) - 1 - sure.flip(0).int().argmax(0)


def _surest(confidences, threshold):
    return confidences.argmax(0)


def _sums(confidences, costs, threshold):
    sure = confidences >= threshold
    sure[-1] = True
    return float(costs.cumsum(0)[sure.int().argmax(0)].mean())


COST_MISTAKES = (
    Mistake(
        "nobody is sure",
        "Images of which no exit is sure leave at the first one in your answer. They have to go to the end.",
        _with_exits(_no_last),
    ),
    Mistake(
        "last sure exit",
        "Your images stay as long as exits are sure. They leave at the *first* that is.",
        _with_exits(_last_sure),
    ),
    Mistake(
        "surest exit",
        "You take the exit that is surest. By then the image has been through all of them.",
        _with_exits(_surest),
    ),
    Mistake(
        "added up",
        "You add up the costs of the exits passed. `costs` already says what it takes to come to each exit.",
        _sums,
    ),
    Mistake(
        "a mean of exits",
        "That is the mean over the exits. Take it over the images: most may leave at one exit.",
        lambda confidences, costs, threshold: float(costs.mean()),
    ),
)


def _grade_cost(answer):
    check_numbers(answer, mean_cost, _cost_calls(), COST_MISTAKES)
    return "It is the horizontal axis of the picture of section 5."


# --- what the learner sees

EXERCISES = (
    Exercise(
        name="9.1",
        title="What a generation keeps",
        question=(
            "Ridge regression, taught by its own answers. Write `kept(eigenvalue, ridge, generation)`: "
            "the share of the targets along a direction with that eigenvalue that is left in the answers of "
            "that generation. Generation 0 is fitted to the points themselves."
        ),
        answer="kept",
        minutes=5,
        difficulty="easy",
        hints=(
            "One fit multiplies a direction by d / (d + ridge). How many fits are there up to generation g?",
            "Generation 0 is one fit, generation 1 is two. One follows the other, so factors multiply.",
        ),
        source="""
def kept(eigenvalue, ridge, generation):
    once = eigenvalue / (eigenvalue + ridge)
    return once ** (generation + 1)
""",
        grade=_grade_kept,
    ),
    Exercise(
        name="9.2",
        title="The average of yourself",
        question=(
            "Write `averaged(before, now, step, decay)`: a weight of the mean teacher after a step. `before` "
            "is the average so far, `now` the student's weight. The old average keeps the share `decay`, but "
            "after step t never more than 1 - 1/(t + 1)."
        ),
        answer="averaged",
        minutes=5,
        difficulty="medium",
        hints=(
            "First the share that the old average keeps; then one line that mixes old and new.",
            "*Never more than* is a minimum. After step 1 the share is at most a half.",
        ),
        source="""
def averaged(before, now, step, decay):
    share = min(1 - 1 / (step + 1), decay)
    return share * before + (1 - share) * now
""",
        grade=_grade_average,
    ),
    Exercise(
        name="9.3",
        title="What leaving early costs",
        question=(
            "Write `mean_cost(confidences, costs, threshold)`. `confidences` is a tensor with a row for each "
            "exit and a column for each image: the largest probability there. `costs` says what it takes to "
            "come to each exit. An image leaves at the first exit whose confidence is at least `threshold`, "
            "and at the last one in any case. Return the mean cost of an image."
        ),
        answer="mean_cost",
        minutes=10,
        difficulty="medium",
        hints=(
            "A loop over the images is fine: go through its exits from the first and stop where it is sure.",
            "Without a loop: `(confidences >= threshold)`, its last row set to True, and `.int().argmax(0)` "
            "finds the first True of each column.",
        ),
        source="""
def mean_cost(confidences, costs, threshold):
    sure = confidences >= threshold
    sure[-1] = True
    exits = sure.int().argmax(0)
    return costs[exits].mean()
""",
        grade=_grade_cost,
    ),
)
