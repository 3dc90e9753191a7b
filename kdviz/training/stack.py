"""Many students in one training: the loop of one student, with axes for seeds and settings."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.optim.adam import adam

from kdviz.training.loop import Run, cosine


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
        weights = self.student.weights
        self.objective = _on(weights.device, self.objective)
        self._moments = [torch.zeros_like(weights), torch.zeros_like(weights)]
        self._count = torch.zeros((), device=weights.device)
        self.diverged = np.zeros(self.student.shape, dtype=int)
        if isinstance(self.learning_rate, torch.Tensor):
            rates = self.learning_rate.to(weights).expand(self.student.shape)
            self._rates, self.learning_rate = self.student.spread(rates), 1.0
            self._displacement = torch.zeros_like(weights)
        else:
            self._rates, self._displacement = None, None

    def _check_learning_rate(self):
        rates = torch.as_tensor(self.learning_rate)
        if not ((rates > 0) & torch.isfinite(rates)).all():
            raise ValueError(f"every learning rate must be above 0; got {self.learning_rate!r}")

    def set(self, address, value):
        super().set(address, value)
        self.objective = _on(self.student.weights.device, self.objective)

    def _take_step(self, recorded):
        differentiated = self.objective.differentiated
        by_hand = self.student.chain is not None and not differentiated
        with torch.set_grad_enabled(not by_hand):
            student, teacher, labels = self.lesson(self.student, self.step)
            total, values = None, None
            if recorded:
                with torch.no_grad():
                    total, values = self.objective(student, teacher, labels)
            with torch.no_grad():
                pull = self.objective.logit_gradient(student, teacher, labels)
            if by_hand:
                gradient = self.student.chain.backward(pull.movedim(2, -1))
            else:
                gradient = self._differentiate(differentiated, pull, student, teacher, labels)
        self._move(gradient)
        self.step += 1
        if recorded:
            bad = ~torch.isfinite(total).cpu().numpy()
            self.diverged[bad & (self.diverged == 0)] = self.step
        return total, values

    def _differentiate(self, terms, pull, student, teacher, labels):
        """The gradient where it is not all written out: what is, is handed over at the logits."""
        outputs, pulls = ([], []) if pull is None else ([student.logits], [pull])
        if terms:
            values = [term.weight * term.loss(student, teacher, labels) for term in terms.values()]
            outputs.append(sum(value.sum() for value in values))
            pulls.append(None)
        return torch.autograd.grad(outputs, [self.student.weights], pulls)[0]

    @torch.no_grad()
    def _move(self, gradient):
        weights = self.student.weights
        adam(
            [weights if self._rates is None else self._displacement],
            [gradient],
            *[[moment] for moment in self._moments],
            [],
            [self._count],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.learning_rate * cosine(self.step, self.steps),
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
        if self._rates is not None:
            # Adam moves by its rate times a direction that does not depend on it.
            weights.addcmul_(self._displacement, self._rates)
            self._displacement.zero_()


def _on(device, objective):
    """The objective with its tensors on a device, so that no step waits for them."""
    changes = {
        address: value.to(device)
        for address, value in objective.settings().items()
        if isinstance(value, torch.Tensor)
    }
    return objective.replace(changes)
