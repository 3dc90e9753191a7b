"""A student as a file that runs without its code, with the check that it gives the same answers."""

from pathlib import Path

import torch

from kdviz.study.feeding import answer, device_of, to_device


def export(student, inputs, path, tolerance=1e-4):
    """Write the student by ``torch.export`` and check that the file answers as the student does.

    Load it with ``torch.export.load(path).module()``; it takes batches of any size.

    Parameters
    ----------
    student : torch.nn.Module of one tensor
        It is exported in eval mode; its mode is put back.
    inputs : tensor of at least two samples
    path : where to write, by custom ending in ``.pt2``
    tolerance : the largest difference of a logit that passes

    Returns
    -------
    float
        The largest difference of a logit between the file and the student, on ``inputs``.

    Errors: ValueError where the two differ; the file is then removed.
    """
    if not isinstance(inputs, torch.Tensor) or len(inputs) < 2:
        raise ValueError("inputs must be a tensor of at least two samples, from which the export is traced")
    path, inputs = Path(path), to_device(inputs, device_of(student))
    modes = [(module, module.training) for module in student.modules()]
    student.eval()
    try:
        with torch.no_grad():
            program = torch.export.export(
                student, (inputs,), dynamic_shapes=({0: torch.export.Dim("batch")},)
            )
            torch.export.save(program, path)
            written = torch.export.load(path).module()
            # Another batch size than the one traced: all but the last sample.
            pairs = [(answer(written, part), answer(student, part)) for part in (inputs, inputs[:-1])]
    finally:
        for module, training in modes:
            module.training = training
    apart = max(float((ours - theirs).abs().max()) for ours, theirs in pairs)
    if not apart <= tolerance:
        path.unlink()
        raise ValueError(
            f"the exported file answers differently: a logit differs by {apart:.3g}, more than {tolerance:g}."
            " Does the student draw random numbers in eval mode?"
        )
    return apart
