"""Is the loss what you think: its form, its reduction, its T², and the weight of each term?"""

import torch

from kdviz.losses.objective import Loss, Objective, as_objective
from kdviz.study import loss_forms
from kdviz.study.findings import Passed, finding, verdict
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


def form_of_the_loss(setup):
    """What the loss does at the student's logits, held against what is meant."""
    point = _loss_point(setup)
    *given, gradient = point
    claim = _claim(setup)
    limit = loss_forms.LEFT_OVER if setup.step is None else max(loss_forms.LEFT_OVER, setup.rounding)
    if claim is not None and (found := _against_claim(claim, given, gradient, limit)) is not None:
        yield from found
        return
    form = loss_forms.read(*point, limit)
    if form is None:
        if claim is not None:
            yield _not_the_objective(claim, given, gradient)
            return
        raise CannotCheck("a loss made of cross-entropy and a soft term on logits; yours is another")
    findings = list(_of_form(form, given[0].shape[1]))
    if claim is not None and not findings:
        evidence = f"meant: {claim}; at the logits it acts like {form}"
        findings = [finding("not_the_objective/form", evidence)]
    yield from findings
    if not findings:
        yield Passed("form_of_the_loss", f"at the logits it acts like {form}")


def size_of_the_terms(setup):
    """How much of the gradient at the student's logits comes from each term."""
    if setup.step is None and not _is_function(setup.objective):
        if setup.objective is None:
            raise CannotCheck("objective= or step=")
        sizes = _claimed_sizes(setup)
    else:
        form = loss_forms.read(*_loss_point(setup))
        if form is None or form.soft is None:
            raise CannotCheck("a loss made of cross-entropy and a soft term on logits; yours is another")
        sizes = {"hard": 1 - form.soft_fraction, "soft": form.soft_fraction}
    listed = ", ".join(f"{name} {fraction:.2%}" for name, fraction in sizes.items())
    evidence = f"shares of the gradient's length at the student's logits: {listed}"
    small = [name for name, fraction in sizes.items() if name not in _HARD and fraction < 0.01]
    yield verdict(small, "soft_term_small", evidence, term=repr("".join(small[:1])))


_HARD = ("hard", "cross_entropy", "label_smoothing")


def _against_claim(claim, given, gradient, limit):
    """Findings about the weights of an objective's terms; None where the form itself is another."""
    terms = _claimed_gradients(claim, given)
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
        for found in _wrong_factor(name, factor, claim, *shape):
            if len(felt) > 1 or found.name != "other_weight":
                yield found


def _wrong_factor(name, factor, claim, samples, classes):
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
    else:
        yield finding("other_weight", evidence, term=name)


def _of_form(form, classes):
    """What a form says by itself, without knowing what is meant."""
    evidence = f"at the logits the loss acts like {form}"
    if form.hard is loss_forms.hard_of_probabilities and abs(form.hard_weight) > 1e-6:
        yield finding("cross_entropy_of_probabilities", evidence)
    if form.soft in loss_forms.MISTAKES:
        yield finding(form.soft.__name__, evidence)
    if form.soft is not None and form.soft_weight < 0:
        yield finding("soft_term_repels", evidence)
    if form.soft is loss_forms.soft:
        yield from _hidden_factor(form, classes)


def _hidden_factor(form, classes):
    """Weights that were meant to sum to 1 and do so only with a factor that was lost."""
    a, b, squared = form.hard_weight, form.soft_weight, form.temperature**2
    if not 0.01 < a < 0.999 or b <= 0 or _is(a + b):
        return
    evidence = f"at the logits the loss acts like {form}: the weights sum to {a + b:.4g}; "
    far = squared > 1.1
    if _is(a + b * classes):
        yield _reduction(f"{evidence}with the factor C = {classes} they would sum to 1", classes)
    elif far and _is(a + b * squared):
        yield _squared(f"{evidence}with the factor T² = {squared:.3g} they would sum to 1", form.temperature)
    elif far and _is(a + b * classes * squared):
        evidence += f"with the factors C = {classes} and T² = {squared:.3g} they would sum to 1"
        yield _reduction(evidence, classes)
        yield _squared(evidence, form.temperature)


def _is(value):
    return abs(value - 1) < CLOSE


def _reduction(evidence, classes):
    return finding("reduction", evidence, classes=classes)


def _summed(evidence, samples):
    return finding("reduction/summed", evidence, samples=samples)


def _squared(evidence, temperature):
    return finding("temperature_squared", evidence, squared=temperature**2)


def _not_the_objective(claim, given, gradient):
    meant = sum(_claimed_gradients(claim, given).values())
    alike = float(torch.cosine_similarity(meant.flatten(), gradient.flatten(), 0))
    evidence = f"meant: {claim}; the two gradients at the logits have a cosine of {alike:.3f}"
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
    if student.numel() > _MOST:
        raise CannotCheck(f"fewer classes: {student.numel():,} logits in a batch take too long")
    if student.shape != teacher.shape or int(labels.max()) >= student.shape[1]:
        raise CannotCheck("teacher, student and labels of the same classes")
    if not all(part.isfinite().all() for part in (student, teacher, gradient)) or gradient.norm() == 0:
        raise CannotCheck("a finite gradient at the student's logits")
    return point


def _from_function(setup):
    student, teacher, labels = _first(setup)
    return student, teacher, labels, _gradient(setup.objective, student, teacher, labels)


def _first(setup):
    count = len(setup.batches[0]) if setup.batches else 0
    if setup.teacher_logits.shape != setup.student_logits.shape:
        raise CannotCheck("teacher and student of the same classes")
    return setup.student_logits[:count], setup.teacher_logits[:count], setup.labels[:count]


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


def _claimed_gradients(objective, given):
    """Of each term on logits, times its weight."""

    def term(part):
        def value(z, t, y, temperature):
            return part.weight * part.loss(Trace(z), Trace(t), y)

        return loss_forms.gradient_of(value, given)

    return {
        name: term(part)
        for name, part in objective.named.items()
        if not part.loss.student_layers and part.weight and not part.loss.initial(*map(Trace, given[:2]))
    }


def _claimed_sizes(setup):
    terms = _claimed_gradients(as_objective(setup.objective), _first(setup))
    sizes = {name: float(part.norm()) for name, part in terms.items()}
    whole = sum(sizes.values())
    if not whole:
        raise CannotCheck("a term that acts on the logits")
    return {name: size / whole for name, size in sizes.items()}


CHECKS = (loss_ignores_teacher, form_of_the_loss, size_of_the_terms)
