"""Distil on several processes, each with its own part of the batches: torch's DDP with kdviz's objective.

    torchrun --nproc-per-node 2 examples/two_processes.py

On CPUs the processes talk by gloo. On GPUs, say "nccl", put the networks on
``cuda:$LOCAL_RANK``, and hand ``device_ids=[rank]`` to DistributedDataParallel.
"""

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import kdviz as kd
from kdviz.tracing import answer


def main(epochs=8):
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    data = kd.datasets.digits(labels=50)
    teacher, start = kd.teacher(data), kd.models.mlp(64, 16, 10)
    # Every process begins with the student of the first, and averages its gradients with the others.
    student = DistributedDataParallel(start.train())
    optimizer = torch.optim.Adam(student.parameters(), lr=5e-3)
    objective = 0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(temperature=4)

    samples = TensorDataset(data.transfer.inputs, data.transfer.labels)
    sampler = DistributedSampler(samples, shuffle=True, seed=0)
    loader = DataLoader(samples, batch_size=32, sampler=sampler)
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for inputs, labels in loader:
            loss, _ = objective(student(inputs), answer(teacher, inputs).logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if dist.get_rank() == 0:
            seen = data.validation.inputs
            agree = kd.measure.agreement(answer(student.module, seen).logits, answer(teacher, seen).logits)
            print(f"epoch {epoch}: loss {loss:.3f}, agreement {agree:.3f}")
    weights = sum(float(part.detach().double().sum()) for part in student.parameters())
    print(f"process {dist.get_rank()}: weights {weights:.12f}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
