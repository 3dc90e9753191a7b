"""Cached teacher's logits: do they belong to these samples, and to this teacher?"""

import torch

from kdviz.study.findings import Finding, Passed
from kdviz.study.setup import CannotCheck

_ORDER = (
    "Let the data set return each sample's row number and take cached_logits[rows], or do not shuffle. The "
    "batches must then be (inputs, labels, rows)."
)


def cache_order(setup):
    if setup.cached is None:
        raise CannotCheck("cached_logits=, where you keep the teacher's answers")
    if not torch.isfinite(setup.cached).all():
        yield Finding(
            "cache_not_finite",
            "Some cached logits are NaN or infinite.",
            f"{int((~setup.cached.isfinite().all(1)).sum())} of {len(setup.cached)} rows",
            "Ask the teacher again, in full precision.",
        )
        return
    if setup.rows is None:
        yield from _without_rows(setup)
    elif int(setup.rows.max()) >= len(setup.cached):
        yield Finding(
            "cache_length",
            "The cache has fewer rows than the data set has samples.",
            f"{len(setup.cached)} cached rows; the data asks for row {int(setup.rows.max())}",
            "Ask the teacher about every sample, in the order of the data set (drop_last=False).",
        )
    elif setup.teacher is None:
        raise CannotCheck("the teacher, to compare its answers with the cached ones")
    else:
        yield from _against_teacher(setup)


def _without_rows(setup):
    count = min(setup.count, len(setup.cached))
    how = "the loader shuffles" if setup.source.shuffles else "the loader orders its samples by itself"
    evidence = f"{how}, and its batches carry no row numbers"
    if setup.teacher is not None and setup.cached.shape[1] == setup.teacher_logits.shape[1]:
        same = (
            (setup.cached[:count].argmax(1).cpu() == setup.teacher_logits[:count].argmax(1)).double().mean()
        )
        evidence += f"; taken in turn, cached and true answers agree on {float(same):.3g} of the samples"
        if same > 0.95:
            yield Passed("cache_order", evidence)
            return
    elif not setup.source.shuffles:
        raise CannotCheck("row numbers in the batches: their order is not known")
    yield Finding(
        "cache_order", "Cached answers cannot be matched with the shuffled batches.", evidence, _ORDER
    )


def _against_teacher(setup):
    asked, cached = setup.teacher_logits, setup.cached.double().cpu()
    if asked.shape[1] != cached.shape[1]:
        raise CannotCheck(
            f"a cache of {asked.shape[1]} classes, as the teacher has; it has {cached.shape[1]}"
        )
    taken = cached[setup.rows]
    apart = float((taken - asked).norm() / asked.norm())
    same = float((taken.argmax(1) == asked.argmax(1)).double().mean())
    evidence = f"cached and true answers agree on {same:.3g} of {len(asked)} samples, distance {apart:.2g}"
    if apart < 0.02 or same > 0.95:
        yield Passed("cache_order", evidence)
        return
    nearest, row = torch.cdist(asked, cached).min(1)
    found = (nearest < 0.02 * asked.norm(dim=1)).double().mean()
    if found > 0.9:
        elsewhere = int((row != setup.rows).sum())
        yield Finding(
            "cache_order",
            "The cache holds this teacher's answers in another order than the samples.",
            f"{evidence}; {elsewhere} of {len(asked)} answers stand in another row",
            _ORDER,
        )
    else:
        yield Finding(
            "cache_stale",
            "The cached logits are not what this teacher says about these samples.",
            evidence,
            "Ask it again, in eval mode and on inputs prepared in the same way.",
        )


CHECKS = (cache_order,)
