"""The checks of the doctor, in the order in which it makes them.

A check takes a :class:`~kdviz.study.setup.Setup` and yields what it found, what passed, and what it could
not see. Each teaches one thing that went wrong in public code again and again.
"""

from kdviz.study.checks import caches, data, layers, losses, models, optimizers, runs, steps

EVERY = (
    *data.CHECKS,
    *models.CHECKS,
    *caches.CHECKS,
    *optimizers.CHECKS,
    *steps.CHECKS,
    *losses.CHECKS,
    *layers.CHECKS,
    *runs.CHECKS,
)
