"""The exercises of notebook 01: the loss, its entropy, its limit, its control and its conventions."""

import math

import torch
from torch.nn.functional import log_softmax, softmax

from kdviz.course.exercises.base import Exercise, NotYet
from kdviz.course.exercises.diagnosis import Mistake, Slip, as_number, ask, check_numbers
from kdviz.losses.response import logit_matching, soft_targets

# --- 1.1 the loss


def _pair(samples, classes, seed):
    """A batch of student's and teacher's logits, in float64 so that T = 1000 loses no digits."""
    generator = torch.Generator().manual_seed(seed)
    draw = 3 * torch.randn(2, samples, classes, generator=generator, dtype=torch.float64)
    return {"student_logits": draw[0], "teacher_logits": draw[1]}


def _loss_calls():
    return [_pair(7, 5, 0) | {"temperature": 3.0}, _pair(4, 6, 1) | {"temperature": 1.7}]


def _divergence(log_p, q):
    """KL(q ‖ p), summed over the classes and averaged over the samples."""
    return (torch.xlogy(q, q) - q * log_p).sum(-1).mean()


def _at(student_temperature, teacher_temperature):
    """The loss with a temperature for each side, as functions of the one that was asked for."""

    def loss(student_logits, teacher_logits, temperature):
        log_p = log_softmax(student_logits / student_temperature(temperature), -1)
        q = softmax(teacher_logits / teacher_temperature(temperature), -1)
        return temperature**2 * _divergence(log_p, q)

    return loss


def _cross_entropy_of_both(student_logits, teacher_logits, temperature):
    q = softmax(teacher_logits / temperature, -1)
    return -(temperature**2) * (q * log_softmax(student_logits / temperature, -1)).sum(-1).mean()


def _softmax_twice(student_logits, teacher_logits, temperature):
    return soft_targets(softmax(student_logits, -1), softmax(teacher_logits, -1), temperature)


def _log_forgotten(student_logits, teacher_logits, temperature):
    q = softmax(teacher_logits / temperature, -1)
    return temperature**2 * _divergence(softmax(student_logits / temperature, -1), q)


def _down_the_samples(student_logits, teacher_logits, temperature):
    log_p = log_softmax(student_logits / temperature, 0)
    return temperature**2 * _divergence(log_p, softmax(teacher_logits / temperature, 0))


LOSS_MISTAKES = (
    Mistake(
        "reversed",
        "The KL divergence is the wrong way round. The teacher's probabilities are the weights: where the "
        "teacher says nearly 0, the student's answer should hardly count.",
        lambda student_logits, teacher_logits, temperature: soft_targets(
            teacher_logits, student_logits, temperature
        ),
    ),
    Mistake(
        "student only",
        "The temperature softens only the student. The teacher's logits need it too.",
        _at(lambda t: t, lambda t: 1),
    ),
    Mistake(
        "teacher only",
        "The temperature softens only the teacher. The student's logits need it too.",
        _at(lambda t: 1, lambda t: t),
    ),
    Mistake(
        "no temperature",
        "The temperature does not reach the softmax: both sides are at T = 1.",
        _at(lambda t: 1, lambda t: 1),
    ),
    Mistake(
        "multiplied",
        "You multiply the logits by T, which makes the probabilities sharper. A higher temperature should "
        "make them softer.",
        _at(lambda t: 1 / t, lambda t: 1 / t),
    ),
    Mistake(
        "softmax twice",
        "A softmax is taken of a softmax. The temperature divides the logits, not probabilities.",
        _softmax_twice,
    ),
    Mistake(
        "log forgotten",
        "The student's probabilities stand where their logarithm should. (torch's `kl_div` wants "
        "log-probabilities as its first argument.)",
        _log_forgotten,
    ),
    Mistake(
        "dimension",
        "The softmax runs over the samples, which are dimension 0. The classes are the last dimension.",
        _down_the_samples,
    ),
    Mistake(
        "cross-entropy",
        "That is the cross-entropy, not the KL divergence. Its gradient is the same, but it is too large "
        "by the teacher's entropy, so it is not 0 when the student matches the teacher.",
        _cross_entropy_of_both,
    ),
)
LOSS_SLIPS = (
    Slip(
        "no T²",
        "The factor T² is missing: the higher the temperature, the more the gradient fades.",
        lambda temperature, **logits: temperature**-2,
    ),
    Slip(
        "T once",
        "The factor in front is T. Both the gradient of the softmax and the difference of the "
        "probabilities shrink with T, so one T is not enough.",
        lambda temperature, **logits: 1 / temperature,
    ),
    Slip(
        "mean over classes",
        "You average over the classes too, so the loss is C times too small. (torch's "
        "`reduction='mean'` does that.) Sum over the classes.",
        lambda student_logits, **rest: 1 / student_logits.shape[1],
    ),
    Slip(
        "sum over samples",
        "You sum over the samples, so the loss grows with the batch. Take their mean.",
        lambda student_logits, **rest: len(student_logits),
    ),
    Slip("sign", "The sign is wrong: this loss is never below 0.", lambda **call: -1),
)


def _grade_loss(answer):
    check_numbers(answer, soft_targets, _loss_calls(), LOSS_MISTAKES, LOSS_SLIPS)
    call = _loss_calls()[0]
    student, teacher = (call[name].requires_grad_() for name in ("student_logits", "teacher_logits"))
    loss = ask(answer, **call)
    if not (isinstance(loss, torch.Tensor) and loss.requires_grad):
        raise NotYet(
            "The value is right, but no gradient can flow: somewhere the tensors became plain numbers or "
            "were detached. The student's logits must stay attached."
        )
    reached = torch.autograd.grad(loss.sum(), (student, teacher), allow_unused=True)
    if reached[1] is not None and reached[1].abs().max() > 0:
        raise NotYet(
            "The value is right, but a gradient also reaches the teacher's logits. The teacher is given: "
            "detach its logits."
        )
    wanted = torch.autograd.grad(soft_targets(**call), student)[0]
    if reached[0] is None or not torch.allclose(reached[0], wanted):
        raise NotYet(
            "The value is right, but the student's gradient is not: part of what depends on the student's "
            "logits was detached."
        )
    return "Value and gradient are those of `kdviz.losses.response.soft_targets`."


# --- 1.2 the temperature that gives an entropy


def _entropy_calls():
    return [
        {"teacher_logits": _pair(30, 10, 2)["teacher_logits"], "bits": 2.0},
        {"teacher_logits": 2 * _pair(20, 6, 3)["teacher_logits"], "bits": 1.2},
    ]


def _entropy(probabilities):
    """Entropy in bits; ``xlogy`` is 0 where a probability is 0."""
    return -torch.xlogy(probabilities, probabilities).sum(-1) / math.log(2)


def mean_entropy(teacher_logits, temperature):
    """The mean over the samples of the entropy in bits."""
    return float(_entropy(softmax(teacher_logits / temperature, -1)).mean())


def _halve(entropy, bits):
    """The temperature at which a rising function of it reaches ``bits``."""
    low, high = 1e-3, 1e3
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if entropy(middle) < bits else (low, middle)
    return middle


ENTROPY_MISTAKES = (
    Mistake(
        "nats",
        "Your temperature gives that number in nats. For bits use the logarithm to base 2.",
        lambda teacher_logits, bits: _halve(lambda t: mean_entropy(teacher_logits, t) * math.log(2), bits),
    ),
    Mistake(
        "multiplied",
        "You multiply the logits by T; a temperature divides them.",
        lambda teacher_logits, bits: 1 / _halve(lambda t: mean_entropy(teacher_logits, t), bits),
    ),
    Mistake(
        "entropy of the mean",
        "You average the probabilities of all images and take the entropy of that. Take the entropy of "
        "each image first, then the mean.",
        lambda teacher_logits, bits: _halve(
            lambda t: float(_entropy(softmax(teacher_logits / t, -1).mean(0))), bits
        ),
    ),
    Mistake(
        "first image",
        "That is right for the first image only. The mean over all images is asked.",
        lambda teacher_logits, bits: _halve(lambda t: mean_entropy(teacher_logits[:1], t), bits),
    ),
)


def _grade_entropy(answer):
    calls = _entropy_calls()
    given = [as_number(ask(answer, **call), call) for call in calls]
    for temperature in given:
        if temperature <= 0:
            raise NotYet(f"A temperature is above 0; your function returned {temperature:.4g}.")
    if all(_reaches(call, t, tolerance=0.01) for call, t in zip(calls, given, strict=True)):
        return "At your temperatures the mean entropy is what was asked."
    for mistake in ENTROPY_MISTAKES:
        would_be = [mistake.function(**call) for call in calls]
        if all(math.isclose(a, b, rel_tol=0.01) for a, b in zip(given, would_be, strict=True)):
            raise NotYet(mistake.message)
    call, temperature = next(
        (call, t) for call, t in zip(calls, given, strict=True) if not _reaches(call, t, 0.01)
    )
    reached = mean_entropy(call["teacher_logits"], temperature)
    raise NotYet(
        f"Asked for {call['bits']} bits, your function returned T = {temperature:.4g}. There the mean "
        f"entropy is {reached:.3f} bits, which is too {'low' if reached < call['bits'] else 'high'}."
    )


def _reaches(call, temperature, tolerance):
    return abs(mean_entropy(call["teacher_logits"], temperature) - call["bits"]) < tolerance


# --- 1.3 the limit


def _limit(student_logits, teacher_logits):
    return logit_matching(student_logits, teacher_logits, form="limit")


def _limit_calls():
    # Two constants keep apart what is centred and what is not.
    shifted = [_pair(7, 5, 4), _pair(4, 6, 5)]
    return [call | {"student_logits": call["student_logits"] + 2} for call in shifted]


def _centred_over_samples(student_logits, teacher_logits):
    difference = student_logits - teacher_logits
    return (difference - difference.mean(0)).square().sum(-1).mean() / (2 * difference.shape[1])


def _absolute(student_logits, teacher_logits):
    difference = student_logits - teacher_logits
    difference = difference - difference.mean(-1, keepdim=True)
    return difference.abs().sum(-1).mean() / (2 * difference.shape[1])


LIMIT_MISTAKES = (
    Mistake(
        "not centred",
        "The logits are not centred. A constant added to all logits of an image changes no probability, so "
        "it must not change this loss either; it changes yours.",
        lambda student_logits, teacher_logits: (
            logit_matching(student_logits, teacher_logits) / student_logits.shape[1]
        ),
    ),
    Mistake(
        "centred over samples",
        "You subtract the mean over the images. Subtract, for each image, the mean over its classes.",
        _centred_over_samples,
    ),
    Mistake("absolute", "You add up distances. The limit has their squares.", _absolute),
)
LIMIT_SLIPS = (
    Slip("no half", "A factor 1/2 is missing.", lambda **logits: 2),
    Slip(
        "no C",
        "The division by the number of classes is missing, or is there once too few.",
        lambda student_logits, **rest: student_logits.shape[1],
    ),
    Slip(
        "sum over samples",
        "You sum over the images. Take their mean.",
        lambda student_logits, **rest: len(student_logits),
    ),
)


def _grade_limit(answer):
    calls = _limit_calls()
    check_numbers(answer, _limit, calls, LIMIT_MISTAKES, LIMIT_SLIPS)
    hot = float(soft_targets(**calls[0], temperature=1000.0))
    mine = float(ask(answer, **calls[0]))
    return f"Your limit is {mine:.4f}; the soft-target loss at T = 1000 is {hot:.4f} on the same logits."


# --- 1.4 the control


def _control_call(seed=0):
    """Three labels, eight images each, so that permutations of images with one label can be compared."""
    logits = torch.randn(24, 10, generator=torch.Generator().manual_seed(6))
    return {
        "probabilities": softmax(2 * logits, -1),
        "labels": torch.tensor([2, 5, 9]).repeat(8),
        "generator": torch.Generator().manual_seed(seed),
    }


def _grade_control(answer):
    call, before = _control_call(), _control_call()["probabilities"]
    permuted = ask(answer, **call)
    if not isinstance(permuted, torch.Tensor) or permuted.shape != before.shape:
        got = tuple(permuted.shape) if isinstance(permuted, torch.Tensor) else type(permuted).__name__
        raise NotYet(f"Return a tensor of the same shape, {tuple(before.shape)}; your function gave {got}.")
    if not torch.equal(call["probabilities"], before):
        raise NotYet("Your function changed the tensor it was given. Work on a copy: `.clone()`.")
    labels = call["labels"][:, None]
    if torch.equal(permuted, before):
        raise NotYet("Nothing was permuted: the result equals the input.")
    if not torch.equal(permuted.gather(1, labels), before.gather(1, labels)):
        raise NotYet(
            "The label's probability moved. It must stay where it is: only the probabilities of the wrong "
            "classes are shuffled."
        )
    if not torch.equal(permuted.sort(-1).values, before.sort(-1).values):
        raise NotYet(
            "Some image no longer holds the same probabilities as before. Shuffle the values that the "
            "image has; make no new ones, and take none from other images."
        )
    _check_permutations(permuted, before, call["labels"])
    if not torch.equal(ask(answer, **_control_call()), permuted):
        raise NotYet(
            "Two calls with equally seeded generators gave different results. Draw from the generator that "
            "is handed in, and from nothing else."
        )
    if torch.equal(ask(answer, **_control_call(seed=1)), permuted):
        raise NotYet("Generators with different seeds gave the same result. Draw from the generator.")
    return (
        "Each image keeps its confidence and its entropy; which wrong class resembles it is no longer told."
    )


def _check_permutations(permuted, before, labels):
    """Each image has its own permutation: ranks show where every value went."""
    went = before.argsort(-1).gather(1, permuted.argsort(-1).argsort(-1))
    groups = [went[labels == label] for label in labels.unique()]
    if all((group == group[0]).all() for group in groups):
        raise NotYet(
            "All images share one permutation. A student could learn it as a fixed renaming of the classes; "
            "draw a new permutation for each image."
        )


# --- 1.5 the conventions

_CLASSES, _TEMPERATURE = 10, 4.0


def _share(hard, soft):
    """Only the ratio of the two weights matters; their sum is part of the learning rate."""
    return soft / (hard + soft)


RECIPES = {
    "A": _share(0.1, 0.9),
    "B": _share(0.1, 0.9 / _TEMPERATURE**2),
    "C": _share(0.1, 0.9 / _CLASSES),
}
CONVENTION_MISTAKES = {
    "A": (
        (0.1, "In recipe A, α multiplies the hard term. soft_weight belongs to the soft one."),
        (
            _share(0.1, 0.9 / _TEMPERATURE**2),
            "Recipe A already has its T², as `SoftTargets` has. Nothing is to be converted there.",
        ),
    ),
    "B": (
        (
            0.9,
            "Recipe B has no T², but kdviz's `SoftTargets` has. With the same number you would give the "
            "soft term a weight T² times as large as the recipe does.",
        ),
        (
            0.9 / _TEMPERATURE**2,
            "In recipe B the soft term is now right, but kdviz takes 1 − soft_weight for the hard term. "
            "Scale both weights so that they add up to 1.",
        ),
        (
            _share(0.1, 0.9 * _TEMPERATURE**2),
            "In recipe B you multiply by T². `SoftTargets` does so already; the weight must undo that.",
        ),
        (_share(0.1, 0.9 / _TEMPERATURE), "In recipe B you divide by T. The missing factor is its square."),
    ),
    "C": (
        (
            0.9,
            "Recipe C averages over the classes too, which makes its soft term C times smaller than "
            "`SoftTargets`. The weight must say so.",
        ),
        (
            0.9 / _CLASSES,
            "In recipe C the soft term is now right, but kdviz takes 1 − soft_weight for the hard term. "
            "Scale both weights so that they add up to 1.",
        ),
        (
            _share(0.1, 0.9 * _CLASSES),
            "In recipe C you multiply by C. The mean over the classes makes the soft term smaller.",
        ),
        (
            _share(0.1, 0.9 / _CLASSES / _TEMPERATURE**2),
            "Recipe C already has its T². Only the mean over the classes is to be converted.",
        ),
    ),
}


def _grade_conventions(answer):
    if not isinstance(answer, dict) or set(answer) != set(RECIPES):
        raise NotYet('Hand in a dictionary with one number for each recipe: {"A": …, "B": …, "C": …}.')
    for name, right in RECIPES.items():
        given = as_number(answer[name], {})
        if math.isclose(given, right, abs_tol=0.005):
            continue
        for wrong, message in CONVENTION_MISTAKES[name]:
            if math.isclose(given, wrong, abs_tol=0.005):
                raise NotYet(message)
        if not 0 <= given <= 1:
            raise NotYet(f"Recipe {name}: soft_weight is a share from 0 to 1; got {given:.4g}.")
        raise NotYet(
            f"Recipe {name}: {given:.4g} is too {'small' if given < right else 'large'}. Write down how "
            "many times the hard term's weight the soft term `SoftTargets` gets."
        )
    return (
        "The same α = 0.1 or 0.9 meant three different lessons. Only the ratio of the two weights counts; "
        "their sum acts as part of the learning rate."
    )


# --- what the learner sees

EXERCISES = (
    Exercise(
        name="1.1",
        title="Write the soft-target loss",
        question=(
            "Write `soft_targets(student_logits, teacher_logits, temperature)`. Soften both with the "
            "temperature, take the KL divergence from the student to the teacher, KL(teacher ‖ student), in "
            "nats, sum it over the classes, average it over the samples, and make the size of its gradient "
            "comparable across temperatures. The teacher must receive no gradient."
        ),
        answer="soft_targets",
        minutes=10,
        difficulty="medium",
        hints=(
            "You need the teacher's probabilities and both log-probabilities. `torch.log_softmax(z, -1)` is "
            "safer than the logarithm of a softmax. Where does the temperature go?",
            "For one sample, add up over the classes: teacher's probability times (teacher's "
            "log-probability minus student's log-probability). Then ask: by how much does the gradient "
            "shrink when T doubles, and what undoes that? `.detach()` cuts a tensor from its gradient.",
        ),
        source="""
def soft_targets(student_logits, teacher_logits, temperature):
    log_p = torch.log_softmax(student_logits / temperature, -1)
    log_q = torch.log_softmax(teacher_logits.detach() / temperature, -1)
    divergence = (log_q.exp() * (log_q - log_p)).sum(-1)
    return temperature**2 * divergence.mean()
""",
        grade=_grade_loss,
    ),
    Exercise(
        name="1.2",
        title="How hot for two bits?",
        question=(
            "Write `temperature_for(teacher_logits, bits)`: the temperature at which the mean entropy of the "
            "teacher's softened probabilities is `bits` (within 0.01). The entropy of one image is "
            "−Σ q log₂ q over its classes; take the mean over the images. It rises with the temperature, "
            "from 0 to log₂ C."
        ),
        answer="temperature_for",
        minutes=10,
        difficulty="medium",
        hints=(
            "First write a function that gives the mean entropy in bits at one temperature. Beware of "
            "0 · log 0, which a computer calls nan: `torch.special.entr(q)` is −q ln q and knows better.",
            "The entropy rises with T, so you can search by halving: keep a T that is too cold and one that "
            "is too hot, try one between them, and keep the half that still holds the answer.",
        ),
        source="""
import math

def mean_entropy(logits, temperature):
    q = torch.softmax(logits / temperature, -1)
    return torch.special.entr(q).sum(-1).mean() / math.log(2)

def temperature_for(teacher_logits, bits):
    cold, hot = 0.01, 1000.0
    for _ in range(50):
        middle = (cold * hot) ** 0.5
        if mean_entropy(teacher_logits, middle) < bits:
            cold = middle
        else:
            hot = middle
    return middle
""",
        grade=_grade_entropy,
    ),
    Exercise(
        name="1.3",
        title="The limit of a very hot teacher",
        question=(
            "As T grows, the soft-target loss (with its T²) tends to a loss without any softmax. Write it: "
            "`limit_loss(student_logits, teacher_logits)`. The check compares it with the soft-target loss "
            "at T = 1000."
        ),
        answer="limit_loss",
        minutes=10,
        difficulty="medium",
        hints=(
            "For small x, eˣ is about 1 + x. So at high T a probability is about (1 + (z − z̄)/T)/C, where z̄ "
            "is the mean of that image's logits. What then is the difference of two probabilities?",
            "When q and p are both close to 1/C, KL(q ‖ p) is about C/2 · Σ (q − p)². Put the first hint in, "
            "multiply by T², and see what is left of T and of C.",
        ),
        source="""
def limit_loss(student_logits, teacher_logits):
    student = student_logits - student_logits.mean(-1, keepdim=True)
    teacher = teacher_logits - teacher_logits.mean(-1, keepdim=True)
    squares = (student - teacher).square().sum(-1)
    return squares.mean() / (2 * student_logits.shape[-1])
""",
        grade=_grade_limit,
    ),
    Exercise(
        name="1.4",
        title="A control that should fail",
        question=(
            "Write `permute_dark_knowledge(probabilities, labels, generator)`. For each image keep the "
            "probability of its label in place, and shuffle the others among the wrong classes, with a new "
            "permutation for each image, drawn from the `torch.Generator` that is handed in. Return a new "
            "tensor."
        ),
        answer="permute_dark_knowledge",
        minutes=10,
        difficulty="hard",
        hints=(
            "A loop over the images is fine. For one image, a mask "
            "`torch.arange(classes) != label` selects the wrong classes.",
            "`torch.randperm(n, generator=generator)` is a random order of n things. Use it to index what "
            "the mask selects, and write that back through the same mask, into a copy.",
        ),
        source="""
def permute_dark_knowledge(probabilities, labels, generator):
    permuted = probabilities.clone()
    for row, label in zip(permuted, labels):
        wrong = torch.arange(len(row)) != label
        order = torch.randperm(len(row) - 1, generator=generator)
        row[wrong] = row[wrong][order]
    return permuted
""",
        grade=_grade_control,
    ),
    Exercise(
        name="1.5",
        title="Three papers, three alphas",
        question=r"""kdviz trains on
$(1 - \texttt{soft\_weight})\,\mathrm{CE} + \texttt{soft\_weight}\; T^2\, \mathrm{KL}$, with the KL summed
over the classes. Which `soft_weight` teaches the same lesson as each recipe? All have T = 4 and C = 10
classes. A common factor in front of everything does not count: it acts like a learning rate.

| recipe | loss |
|---|---|
| A | $\alpha\,\mathrm{CE} + (1 - \alpha)\, T^2\, \mathrm{KL}$ with $\alpha = 0.1$ |
| B | $(1 - \alpha)\,\mathrm{CE} + \alpha\, \mathrm{KL}$ with $\alpha = 0.9$ |
| C | $(1 - \alpha)\,\mathrm{CE} + \alpha\, T^2\, \mathrm{KL}_\mathrm{mean}$ with $\alpha = 0.9$ |

In recipe C, $\mathrm{KL}_\mathrm{mean}$ averages over the classes instead of summing.
Hand in `{"A": …, "B": …, "C": …}`, to two decimals.""",
        answer="soft_weights",
        minutes=5,
        difficulty="easy",
        hints=(
            "Write each recipe as h · CE + s · (T² KL). What are h and s? Look for the T² or the C that has "
            "to be moved into s.",
            "Two losses with the same ratio s : h teach the same. kdviz's two weights add up to 1, so divide "
            "h and s by their sum.",
        ),
        source="""
def share(hard, soft):
    return soft / (hard + soft)

soft_weights = {"A": share(0.1, 0.9), "B": share(0.1, 0.9 / 4**2), "C": share(0.1, 0.9 / 10)}
""",
        grade=_grade_conventions,
    ),
)
