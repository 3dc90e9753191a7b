"""Cached teacher's logits: do they belong to these samples, and to this teacher?"""

import torch

from kdviz.study.findings import Passed, finding
from kdviz.study.setup import CannotCheck


def cache_order(setup):
    if setup.cached is None:
        raise CannotCheck("cached_logits=, where you keep the teacher's answers")
    masked = setup.cached.isneginf()
    bad = int((~(setup.cached.isfinite() | masked).all(1) | masked.all(1)).sum())
    if bad:
        yield finding("cache_not_finite", f"{bad} of {len(setup.cached)} rows")
    elif setup.rows is None:
        yield _without_rows(setup)
    elif int(setup.rows.max()) >= len(setup.cached):
        evidence = f"{len(setup.cached)} cached rows; the data asks for row {int(setup.rows.max())}"
        yield finding("cache_length", evidence)
    elif setup.teacher is None:
        raise CannotCheck("the teacher, to compare its answers with the cached ones")
    elif setup.kind.name != "classes":
        raise CannotCheck("answers of one class a sample, to compare them with the cached ones")
    else:
        yield _against_teacher(setup)


def _without_rows(setup):
    count = min(setup.count, len(setup.cached))
    how = "the loader shuffles" if setup.source.shuffles else "the loader orders its samples by itself"
    evidence = f"{how}, and its batches carry no row numbers"
    if setup.teacher is not None and setup.cached.shape[1] == setup.teacher_logits.shape[1]:
        answers = (logits[:count].argmax(1).cpu() for logits in (setup.cached, setup.teacher_logits))
        same = float(torch.eq(*answers).double().mean())
        evidence += f"; taken in turn, cached and true answers agree on {same:.3g} of the samples"
        if same > 0.95:
            return Passed("cache_order", evidence)
    elif not setup.source.shuffles:
        raise CannotCheck("row numbers in the batches: their order is not known")
    return finding("cache_order/unmatched", evidence)


def _against_teacher(setup):
    asked, cached = setup.teacher_logits, setup.cached.double().cpu()
    theirs, held = asked.shape[1], cached.shape[1]
    if theirs != held:
        raise CannotCheck(f"a cache of {theirs} classes, as the teacher has; it has {held}")
    taken = cached[setup.rows]
    same = float((taken.argmax(1) == asked.argmax(1)).double().mean())
    # Classes that are masked, at -inf, have no distance.
    asked, cached, taken = (torch.where(part.isneginf(), 0.0, part) for part in (asked, cached, taken))
    apart = float((taken - asked).norm() / asked.norm())
    evidence = f"cached and true answers agree on {same:.3g} of {len(asked)} samples, distance {apart:.2g}"
    if apart < 0.02 or same > 0.95:
        return Passed("cache_order", evidence)
    nearest, row = torch.cdist(asked, cached).min(1)
    if (nearest < 0.02 * asked.norm(dim=1)).double().mean() > 0.9:
        elsewhere = int((row != setup.rows).sum())
        evidence += f"; {elsewhere} of {len(asked)} answers stand in another row"
        return finding("cache_order", evidence)
    return finding("cache_stale", evidence)


CHECKS = (cache_order,)
