"""Many students in one training: the loop of one student, with axes for seeds and settings."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.optim.adam import adam

from kdviz.training.loop import Run
from kdviz.training.mapped import each_gradient, each_value, has_closed_form
from kdviz.training.updates import cosine


@dataclass
class Stack(Run):
    """A run of S × K students at once: S seeds, each under K settings.

    ``student`` is a :class:`StackedModel`. The objective's weights and settings may be tensors with one
    value for each of the K settings, or one for each student (S, K); so may ``learning_rate``. A
    record's numbers are arrays of shape (S, K).

    Each student ends as it would alone. A student whose loss stops being finite is noted in
    ``diverged``; the others go on, since no two of them share a number.
    """

    def _prepare(self):
        own = [name for name in ("optimizer", "schedule", "clip", "precision") if getattr(self, name)]
        if own or self.accumulate != 1:
            raise ValueError(
                f"a stack learns by Adam along a cosine, without {own[0] if own else 'accumulate'}=; train "
                "its students one by one"
            )
        weights = self.student.weights
        self._take_in_objective()
        self.diverged = np.zeros(self.student.shape, dtype=int)
        self.learned, self._learners = None, []
        rates = None
        if isinstance(self.learning_rate, torch.Tensor):
            rates = self.learning_rate.to(weights).expand(self.student.shape)
            self._rates, self.learning_rate = rates, 1.0
            rates = self.student.spread(rates)
        else:
            self._rates = None
        self._adam = _Adam(weights, rates)

    def _check_learning_rate(self):
        rates = torch.as_tensor(self.learning_rate)
        if not ((rates > 0) & torch.isfinite(rates)).all():
            raise ValueError(f"every learning rate must be above 0; got {self.learning_rate!r}")

    def set(self, address, value):
        super().set(address, value)
        self._take_in_objective()

    def _take_in_objective(self):
        self.objective = _on(self.student.weights.device, self.objective)
        self._differentiated = [
            name for name, term in self.objective.named.items() if not has_closed_form(term.loss)
        ]

    def _take_step(self, recorded):
        by_hand = self.student.chain is not None and not self._differentiated
        with torch.set_grad_enabled(not by_hand):
            student, teacher, labels = self.lesson(self.student, self.step)
            if self.learned is None:
                self._begin_to_learn(student, teacher)

            def values(names):
                return {
                    name: each_value(
                        self.objective.named[name].loss, student, teacher, labels, self.learned[name]
                    )
                    for name in names
                }

            found = values(self._differentiated)
            with torch.no_grad():
                pull = each_gradient(self.objective, student, teacher, labels)
                if recorded:
                    found |= values(self.objective.named.keys() - found.keys())
            if by_hand:
                gradients = [self.student.chain.backward(pull.movedim(2, -1))]
            else:
                gradients = self._differentiate(found, pull, student)
            self._remember(student, teacher, labels)
        rate = self.learning_rate * cosine(self.step, self.steps)
        for learner, gradient in zip([self._adam, *self._learners], gradients, strict=True):
            learner.step(gradient, rate)
        self.step += 1
        return self._recorded(found) if recorded else (None, None)

    def _recorded(self, values):
        values = {name: values[name].detach() for name in self.objective.named}
        total = self.objective.total(values)
        bad = ~torch.isfinite(total).cpu().numpy()
        self.diverged[bad & (self.diverged == 0)] = self.step
        return total, values

    def _begin_to_learn(self, student, teacher):
        """A copy for each student of what the losses learn, from the same start as alone."""
        self.learned = self._initial(student, teacher)
        shape = self.student.shape
        for part in self._learning():
            rates = self._rates
            if rates is not None:
                rates = rates.view(*shape, *[1] * (part.ndim - 2)).expand(part.shape)
            self._learners.append(_Adam(part, rates))

    def _differentiate(self, values, pull, student):
        """The gradients where they are not all written out: what is, is handed over at the logits."""
        outputs, pulls = ([], []) if pull is None else ([student.logits], [pull])
        if self._differentiated:
            named = self.objective.named
            outputs.append(sum((named[name].weight * values[name]).sum() for name in self._differentiated))
            pulls.append(None)
        moved = [learner.weights for learner in [self._adam, *self._learners]]
        return torch.autograd.grad(outputs, moved, pulls)


class _Adam:
    """Adam's steps for one tensor of weights; with a rate for each weight, where students differ in it."""

    def __init__(self, weights, rates):
        self.weights, self._rates = weights, rates
        self._moments = [torch.zeros_like(weights), torch.zeros_like(weights)]
        self._count = torch.zeros((), device=weights.device)
        self._displacement = None if rates is None else torch.zeros_like(weights)

    @torch.no_grad()
    def step(self, gradient, rate):
        adam(
            [self.weights if self._rates is None else self._displacement],
            # The fused step walks through memory: a gradient in another order would reach other weights.
            [gradient.contiguous()],
            *[[moment] for moment in self._moments],
            [],
            [self._count],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
        if self._rates is not None:
            # Adam moves by its rate times a direction that does not depend on it.
            self.weights.addcmul_(self._displacement, self._rates)
            self._displacement.zero_()


def _on(device, objective):
    """The objective with its tensors on a device, so that no step waits for them."""
    changes = {
        address: value.to(device)
        for address, value in objective.settings().items()
        if isinstance(value, torch.Tensor)
    }
    return objective.replace(changes)
