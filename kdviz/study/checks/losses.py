"""Is the loss what you think: its form, its reduction, its T², and the weight of each term?"""

import torch

from kdviz.losses.objective import Loss, Objective, as_objective
from kdviz.study import loss_forms
from kdviz.study.findings import Passed, finding, question, verdict
from kdviz.study.loss_calls import LossCalls
from kdviz.study.setup import CannotCheck
from kdviz.tracing import Trace

CLOSE = 2e-3
_MOST = 500_000


def loss_ignores_teacher(setup):
    """For a loss that is handed in as a function."""
    if not _is_function(setup.objective):
        raise CannotCheck("objective= as a function of (student_logits, teacher_logits, labels)")
    student, teacher, labels, gradient = _from_function(setup)
    other = _gradient(setup.objective, student, teacher.roll(1, 0), labels)
    moved = float((other - gradient).norm() / gradient.norm().clamp(min=1e-300))
    evidence = (
        f"the gradient at the student's logits has length {float(gradient.norm()):.3g} and changes by "
        f"{moved:.2g} of it when the teacher's answers go to other samples"
    )
    passed = f"the gradient at the logits changes by {moved:.2g} with the teacher"
    yield verdict(gradient.norm() == 0 or moved < 1e-6, "teacher_has_no_effect", evidence, passed)


def calls_of_the_loss(setup):
    """What softmax, kl_div and cross_entropy were given: mistakes that can be seen, whatever the logits."""
    calls = _calls(setup)
    found = list(_of_calls(calls))
    yield from found
    if not found:
        count = len(calls.softmaxes) + len(calls.divergences) + len(calls.cross_entropies)
        at = sorted({*calls.temperatures("student"), *calls.temperatures("teacher")})
        temperatures = f", at T = {', '.join(f'{t:.4g}' for t in at)}" if at else ""
        yield Passed("calls_of_the_loss", f"{count} calls of softmax and losses{temperatures}")


def form_of_the_loss(setup):
    """What the loss does at the student's logits, held against what is meant."""
    calls = _calls(setup)
    if list(_of_calls(calls)):
        raise CannotCheck("a loss whose calls are right; see the findings about them")
    point = _loss_point(setup)
    *given, gradient = point
    claim = _claim(setup)
    learners = [] if claim is None else _learners(claim, given)
    if learners:
        raise CannotCheck(
            f"an objective whose terms on logits learn nothing: what {', '.join(learners)} does depends on "
            "how far it has learned, which the step does not show"
        )
    limit = loss_forms.LEFT_OVER if setup.step is None else max(loss_forms.LEFT_OVER, setup.rounding)
    if claim is not None:
        found = _other_calls(claim, calls)
        found = _against_claim(claim, given, gradient, limit) if found is None else found
        if found is not None:
            yield from found
            return
    forms = loss_forms.read(*point, limit, calls.at_both())
    if not forms:
        if claim is not None:
            yield _not_the_objective(setup, claim, given, gradient)
            return
        raise CannotCheck("a loss made of cross-entropy and a soft term on logits; yours is another")
    found = list(_of_form(forms, given[0].shape, calls))
    if claim is not None and not any(one.name in _NAMED_FORMS for one in found):
        evidence = f"meant: {claim}; at the logits it acts like {forms[0]}"
        found = [finding("not_the_objective/form", evidence)]
    yield from found
    if not found:
        yield Passed("form_of_the_loss", f"at the logits it acts like {forms[0]}")


def size_of_the_terms(setup):
    """How much of the gradient at the student's logits comes from each term."""
    if setup.step is None and not _is_function(setup.objective):
        if setup.objective is None:
            raise CannotCheck("objective= or step=")
        sizes = _claimed_sizes(setup)
    else:
        forms = loss_forms.read(*_loss_point(setup), temperatures=_calls(setup).at_both())
        if not forms or forms[0].soft is None:
            raise CannotCheck("a loss made of cross-entropy and a soft term on logits; yours is another")
        sizes = loss_forms.sizes(forms[0], *_loss_point(setup)[:3])
    listed = ", ".join(f"{name} {fraction:.2%}" for name, fraction in sizes.items())
    evidence = f"shares of the gradient's length, were the teacher's answers others: {listed}"
    small = [name for name, fraction in sizes.items() if name not in _HARD and fraction < 0.01]
    yield verdict(small, "soft_term_small", evidence, term=repr("".join(small[:1])))


def pulls_at_the_teacher(setup):
    """Where the student says what the teacher says, a soft term has its minimum, and pulls no more."""
    if list(_of_calls(_calls(setup))):
        raise CannotCheck("a loss whose calls are right; see the findings about them")
    *_, usual = _loss_point(setup)
    if setup.step is None:
        _, teacher, labels, _ = _from_function(setup)
        there = _gradient(setup.objective, teacher, teacher, labels)
    else:
        _, teacher, labels, there = setup.loss_point_at_teacher
    left = loss_forms.beside_labels(teacher, labels, there)
    if left is None:
        raise CannotCheck("five classes or more, and finite logits, to tell the soft term from the hard one")
    fraction = float(left / usual.norm())
    evidence = (
        "where the student's logits are the teacher's, what is left of the gradient beside the labels is "
        f"{fraction:.2g} of its length at the student"
    )
    bad = fraction > (1e-3 if setup.step is None else max(1e-3, 10 * setup.rounding))
    yield question("pulls_at_the_teacher", evidence) if bad else Passed("pulls_at_the_teacher", evidence)


_HARD = ("hard", "cross_entropy", "label_smoothing")


# Calls -----------------------------------------------------------------------------------------------


def _calls(setup):
    if setup.step is not None:
        return setup.stepped.calls
    if _is_function(setup.objective):
        return _function_calls(setup)
    raise CannotCheck("step=, or objective= as a function of (student_logits, teacher_logits, labels)")


def _function_calls(setup):
    calls = LossCalls()
    student, teacher, labels = _first(setup)
    student, teacher = student.float().requires_grad_(), teacher.float()
    calls.logits["student"].append(student)
    calls.logits["teacher"].append(teacher)
    with calls:
        setup.objective(student, teacher, labels)
    return calls


def _of_calls(calls):
    """Findings about calls that are wrong by themselves, each kind of mistake once."""
    softmaxes, divergences = calls.softmaxes, calls.divergences
    single = [one for one in (*softmaxes, *calls.cross_entropies) if one.width == 1]
    if single:
        yield finding("one_logit", f"{len(single)} softmaxes over 1 class")
        return
    # Where a model itself answers with probabilities, that is a finding of its own.
    twice = [one for one in softmaxes if one.of_probabilities and one.temperature is None]
    of_probabilities = {one.side for one in twice if one not in calls.cross_entropies}
    for side in sorted(of_probabilities):
        yield finding(
            f"{side}_softmaxed_twice", f"{len(softmaxes)} softmaxes, 1 or more of the {side}'s probabilities"
        )
    if any(one.of_probabilities and one.temperature is None for one in calls.cross_entropies):
        yield finding(
            "cross_entropy_of_probabilities", f"in {len(calls.cross_entropies)} calls of cross_entropy"
        )
    elsewhere = [one for one in softmaxes if one.temperature is not None and not one.over_classes]
    if elsewhere:
        sides = " and ".join(sorted({one.side for one in elsewhere}))
        yield finding(
            "softmax_axis", f"{len(elsewhere)} of {len(softmaxes)} softmaxes, of the {sides}'s logits"
        )
    tempered = [
        one
        for one in calls.cross_entropies
        if not any(one is soft for soft in softmaxes)
        and one.temperature is not None
        and one.temperature > 1.05
    ]
    if tempered and any(abs(t - tempered[0].temperature) < 1e-3 * t for t in calls.at_both()):
        yield finding(
            "hard_tempered", f"cross_entropy of the student's logits at T = {tempered[0].temperature:.3g}"
        )
    for one in divergences:
        form = f"kl_div of {one.inputs} as input and {one.targets} as target, log_target={one.log_target}"
        evidence = f"{form}, in 1 of {len(divergences)} calls"
        if one.inputs == "probabilities":
            yield finding("log_forgotten", evidence)
        elif one.targets == "logarithms" and not one.log_target:
            yield finding("log_target", evidence)
        elif one.targets == "probabilities" and one.log_target:
            yield finding("log_target/probabilities", evidence)
    ours, theirs = calls.temperatures("student"), calls.temperatures("teacher")
    if of_probabilities:
        return
    if ours == [1.0] and len(theirs) == 1 and theirs[0] > 1.05:
        yield finding(
            "teacher_side_only",
            f"softmaxes at T = {theirs[0]:.3g} of the teacher's logits, 1 of the student's",
        )
    if theirs == [1.0] and len(ours) == 1 and ours[0] > 1.05 and not calls.cross_entropies_at(ours[0]):
        yield finding(
            "student_side_only", f"softmaxes at T = {ours[0]:.3g} of the student's logits, 1 of the teacher's"
        )


def _other_calls(claim, calls):
    """That the calls are another loss than the one meant; None where they may be the same."""
    soft = [part.loss for part in claim.named.values() if hasattr(part.loss, "temperature")]
    meant = {float(loss.temperature) for loss in soft if isinstance(loss.temperature, (int, float))}
    at = calls.at_both()
    if len(soft) == len(meant) == 1 and at and not any(abs(t - m) < 1e-3 * m for t in at for m in meant):
        evidence = f"meant: {claim}; both sides are softmaxed at T = {', '.join(f'{t:.3g}' for t in at)}"
        return [finding("not_the_objective/form", evidence)]
    reversed_ = any(one.learns == "target" for one in calls.divergences)
    if reversed_ and [type(loss).__name__ for loss in soft] == ["SoftTargets"]:
        return [
            finding(
                "not_the_objective/form", f"meant: {claim}; kl_div gets the student as its target, in 1 call"
            )
        ]
    return None


# Gradients -------------------------------------------------------------------------------------------


def _against_claim(claim, given, gradient, limit):
    """Findings about the weights of an objective's terms; None where the form itself is another."""
    terms = _claimed_gradients(claim, given)
    if not terms:
        return None
    columns = torch.stack([part.flatten() for part in terms.values()], 1)
    factors = torch.linalg.lstsq(columns, gradient.flatten().unsqueeze(1), driver="gelsd").solution[:, 0]
    left = float((columns @ factors - gradient.flatten()).norm() / gradient.norm())
    if left > limit:
        return None
    factors = dict(zip(terms, factors.tolist(), strict=True))
    sizes = dict(zip(terms, (columns.norm(dim=0) / gradient.norm()).tolist(), strict=True))
    # A term that is next to nothing in the gradient has no factor that could be read off.
    felt = {name: factor for name, factor in factors.items() if sizes[name] * max(1, abs(factor)) > 1e-9}
    seen = "at the logits it is the objective: " + ", ".join(f"{n} × {f:.4g}" for n, f in felt.items())
    wrong = {
        name: factor
        for name, factor in felt.items()
        if abs(factor - 1) > 2 * limit and abs(factor - 1) * sizes[name] > limit / 10
    }
    return list(_about_factors(wrong, felt, claim, given[0].shape, 2 * limit)) or [
        Passed("form_of_the_loss", seen)
    ]


def _about_factors(wrong, felt, claim, shape, close):
    low, high = min(felt.values()), max(felt.values())
    together = low > 0 and high - low < close * high
    if together and len(felt) > 1:
        # One factor for all terms only scales the learning rate, as gradient accumulation does; but a sum
        # over the samples ties it to the batch size.
        if wrong and _is(low / shape[0]):
            yield _summed(f"all terms act with {low:.4g} times their strength in {claim}", shape[0])
        return
    for name, factor in wrong.items():
        for found in _wrong_factor(name, factor, claim, *shape, close):
            if len(felt) > 1 or found.name != "other_weight":
                yield found


def _wrong_factor(name, factor, claim, samples, classes, close):
    temperature = getattr(claim.named[name].loss, "temperature", 1.0)
    temperature = temperature if isinstance(temperature, (int, float)) else 1.0
    evidence = f"{name} acts with {factor:.4g} times the strength it has in {claim}"
    if factor < -CLOSE:
        yield finding("soft_term_repels", evidence)
    elif _is(factor * classes):
        yield _reduction(evidence, classes)
    elif temperature > 1 and _is(factor * temperature**2):
        yield _squared(evidence, temperature)
    elif temperature > 1 and _is(factor * classes * temperature**2):
        yield _reduction(evidence, classes)
        yield _squared(evidence, temperature)
    elif _is(factor / samples):
        yield _summed(evidence, samples)
    elif close > 3 * loss_forms.LEFT_OVER and abs(factor - 1) < 0.5:
        # In half precision a factor near 1 may be nothing but rounding.
        yield question("half_precision", evidence)
    else:
        yield finding("other_weight", evidence, term=name)


# What a form is called, where the calls do not say more.
_NAMED_FORMS = (
    "cross_entropy_of_probabilities",
    *(form.__name__ for form in loss_forms.MISTAKES),
    "soft_term_repels",
)


def _of_form(forms, shape, calls):
    """What a form says by itself, without knowing what is meant."""
    form, *others = forms
    evidence = f"at the logits the loss acts like {form}"
    if others:
        evidence += f"; or like {' or '.join(map(str, others))}: so near 0 the logits do not tell which"
    if form.hard is loss_forms.hard_of_probabilities and abs(form.hard_weight) > 1e-6:
        yield finding("cross_entropy_of_probabilities", evidence)
    if form.hard is loss_forms.hard_tempered:
        yield finding("hard_tempered", evidence)
    if form.soft in loss_forms.MISTAKES and form.temperature > 1.05:
        yield finding(form.soft.__name__, evidence)
    if form.soft is not None and form.soft_weight < 0:
        yield finding("soft_term_repels", evidence)
    if form.soft is loss_forms.soft:
        yield from _hidden_factor(form, *shape, {one.reduction for one in calls.divergences})


def _hidden_factor(form, samples, classes, reductions):
    """Weights that sum to 1 only with a factor: lost, or weights that were meant so. Nobody can tell."""
    a, b, squared = form.hard_weight, form.soft_weight, form.temperature**2
    if not 0.01 < a < 0.999 or b <= 0 or _is(a + b):
        return
    evidence = f"at the logits the loss acts like {form}: the weights sum to {a + b:.4g}; "
    factors = {
        "reduction": ([classes], "C = {:.3g}", {"classes": classes}, "mean"),
        "reduction/summed": ([1 / samples], "1 / N = {:.3g}", {"samples": samples}, "sum"),
        "temperature_squared": ([squared] * (squared > 1.1), "T² = {:.3g}", {"squared": squared}, None),
    }
    for key, (values, shown, words, reduction) in factors.items():
        # A call that was seen says how its loss was reduced.
        if reduction is not None and reductions and reduction not in reductions:
            continue
        for value in values:
            if _is(a + b * value):
                yield question(
                    key, f"{evidence}with the factor {shown.format(value)} they would sum to 1", **words
                )
                return
    both = classes * squared
    if squared > 1.1 and _is(a + b * both) and (not reductions or "mean" in reductions):
        evidence += f"with the factors C = {classes} and T² = {squared:.3g} they would sum to 1"
        yield question("reduction", evidence, classes=classes)
        yield question("temperature_squared", evidence, squared=squared)


def _is(value):
    return abs(value - 1) < CLOSE


def _reduction(evidence, classes):
    return finding("reduction", evidence, classes=classes)


def _summed(evidence, samples):
    return finding("reduction/summed", evidence, samples=samples)


def _squared(evidence, temperature):
    return finding("temperature_squared", evidence, squared=temperature**2)


def _not_the_objective(setup, claim, given, gradient):
    meant = sum(_claimed_gradients(claim, given).values())
    if not isinstance(meant, torch.Tensor):
        raise CannotCheck("an objective with a term on logits")
    alike = float(torch.cosine_similarity(meant.flatten(), gradient.flatten(), 0))
    evidence = f"meant: {claim}; the two gradients at the logits have a cosine of {alike:.3f}"
    if setup.step is not None and setup.rounding > 1e-3 and alike > 0.9:
        return question("half_precision", evidence)
    return finding("not_the_objective", evidence)


def _loss_point(setup):
    """Student's logits, teacher's logits, labels, and the gradient of the loss at the first."""
    if setup.step is not None:
        point = setup.loss_point
    elif _is_function(setup.objective):
        point = _from_function(setup)
    else:
        raise CannotCheck("step=, or objective= as a function of (student_logits, teacher_logits, labels)")
    student, teacher, labels, gradient = point
    if student.shape != teacher.shape or (labels.numel() and int(labels.max()) >= student.shape[1]):
        raise CannotCheck("teacher, student and labels of the same classes")
    if student.numel() > _MOST:
        # Rows are looked at alone but for the mean over all of them.
        most = max(1, _MOST // student.shape[1])
        if most < 8:
            raise CannotCheck(f"fewer classes: {student.shape[1]:,} a row take too long")
        rows = torch.randperm(len(student), generator=torch.Generator().manual_seed(0))[:most]
        part = len(student) / len(rows)
        student, teacher, labels, gradient = student[rows], teacher[rows], labels[rows], gradient[rows] * part
    if not all(part.isfinite().all() for part in (student, teacher, gradient)) or gradient.norm() == 0:
        raise CannotCheck("a finite gradient at the student's logits")
    return student, teacher, labels, gradient


def _from_function(setup):
    student, teacher, labels = _first(setup)
    return student, teacher, labels, _gradient(setup.objective, student, teacher, labels)


def _first(setup):
    setup.needs_classes()
    count = int(setup.spots[0].sum()) if setup.batches else 0
    if setup.teacher_logits.shape != setup.student_logits.shape:
        raise CannotCheck("teacher and student of the same classes")
    labels = setup.labels[:count] if all(batch.labels is not None for batch in setup.batches) else None
    labels = torch.full((count,), -1) if labels is None else labels
    return setup.student_logits[:count], setup.teacher_logits[:count], labels


def _gradient(function, student, teacher, labels):
    student = student.detach().float().requires_grad_()
    loss = function(student, teacher.float(), labels)
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        raise TypeError(f"objective must return one number as a tensor; it returned {loss!r}")
    if not loss.requires_grad:
        return torch.zeros_like(student).double()
    return torch.autograd.grad(loss, student, allow_unused=True, materialize_grads=True)[0].double()


def _is_function(objective):
    return callable(objective) and not isinstance(objective, (Loss, Objective))


def _claim(setup):
    """The objective that is meant, where the step is there to be compared with it."""
    if setup.step is None or setup.objective is None or _is_function(setup.objective):
        return None
    return as_objective(setup.objective)


def _learners(objective, given):
    """The terms on logits that learn something of their own: what they do depends on how far they are."""
    return [
        name
        for name, part in objective.named.items()
        if part.weight and not part.loss.student_layers and part.loss.initial(*map(Trace, given[:2]))
    ]


def _claimed_gradients(objective, given):
    """Of each term on logits, times its weight."""

    def term(part):
        def value(z, t, y, temperature):
            return part.weight * part.loss(Trace(z), Trace(t), y)

        return loss_forms.gradient_of(value, given)

    return {
        name: term(part)
        for name, part in objective.named.items()
        if not part.loss.student_layers and part.weight
    }


def _claimed_sizes(setup):
    student, teacher, labels = _first(setup)
    # A student that agrees with its teacher feels no soft term, whatever its weight.
    ways = [(student, teacher, labels), (student, teacher.roll(1, 0), labels)]
    every = [_claimed_gradients(as_objective(setup.objective), given) for given in ways]
    sizes = {name: max(float(terms[name].norm()) for terms in every) for name in every[0]}
    whole = sum(sizes.values())
    if not whole:
        raise CannotCheck("a term that acts on the logits")
    return {name: size / whole for name, size in sizes.items()}


CHECKS = (
    loss_ignores_teacher,
    calls_of_the_loss,
    form_of_the_loss,
    size_of_the_terms,
    pulls_at_the_teacher,
)
