# The optimizer of the demo model: fp32 master weights, Muon for the matrices of the blocks, AdamW for the rest.
# In: a model whose parameters are bf16 (or fp32) with gradients. Out: updated parameters.
# Muon: momentum, then the nearest semi-orthogonal matrix by a quintic Newton-Schulz iteration
# (K. Jordan et al. 2024); matrices of one shape are handled in one batched product.

import collections

import torch

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonalise(stack: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Nearest semi-orthogonal matrices of a stack [n, rows, columns], about (singular values near 1)."""
    a, b, c = NEWTON_SCHULZ
    x = stack.to(torch.bfloat16)
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.transpose(1, 2)
    x = x / (x.float().norm(dim=(1, 2), keepdim=True).to(x.dtype) + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.transpose(1, 2) if tall else x).float()


class Optimizer:
    """`matrices` go to Muon; `others`, pairs of (parameter, multiple of other_rate), to AdamW. Master weights, momenta and step count are in state_dict()."""

    def __init__(self, matrices, others, matrix_rate, other_rate, weight_decay=0.1):
        self.matrix_rate, self.other_rate, self.weight_decay = matrix_rate, other_rate, weight_decay
        groups = collections.defaultdict(list)
        for p in matrices:
            groups[tuple(p.shape)].append(p)
        self.groups = list(groups.values())
        self.masters = [torch.stack([p.detach().float() for p in group]) for group in self.groups]
        self.momenta = [torch.zeros_like(m) for m in self.masters]
        self.others = [p for p, _ in others]
        self.multiples = [multiple for _, multiple in others]
        self.other_masters = [p.detach().float().clone() for p in self.others]
        self.first = [torch.zeros_like(m) for m in self.other_masters]
        self.second = [torch.zeros_like(m) for m in self.other_masters]
        self.steps = 0

    @torch.no_grad()
    def step(self, factor: float):
        """One update; `factor` in (0, 1] scales both learning rates (the schedule)."""
        self.steps += 1
        momentum = min(0.85 + 0.1 * self.steps / 300, 0.95)
        for group, master, average in zip(self.groups, self.masters, self.momenta):
            if all(p.grad is None for p in group):
                continue
            gradient = torch.stack([torch.zeros_like(m) if p.grad is None else p.grad.float()
                                    for p, m in zip(group, master)])
            average.lerp_(gradient, 1 - momentum)
            update = orthogonalise(gradient.lerp_(average, momentum))
            rate = self.matrix_rate * factor
            master.mul_(1 - rate * self.weight_decay)
            master.sub_(update, alpha=rate * max(1.0, master.shape[1] / master.shape[2]) ** 0.5)
            for p, m in zip(group, master):
                p.copy_(m)
        self._adam(factor)

    def _adam(self, factor):
        live = [i for i, p in enumerate(self.others) if p.grad is not None]
        gradients = [self.others[i].grad.float() for i in live]
        norm = torch.stack([g.norm() for g in gradients]).norm()
        scale = min(1.0, 1.0 / (norm.item() + 1e-9))
        c1, c2 = 1 - 0.9 ** self.steps, 1 - 0.98 ** self.steps
        for i, g in zip(live, gradients):
            g.mul_(scale)
            self.first[i].lerp_(g, 0.1)
            self.second[i].lerp_(g * g, 0.02)
            update = (self.first[i] / c1) / ((self.second[i] / c2).sqrt() + 1e-8)
            self.other_masters[i].sub_(update, alpha=self.other_rate * factor * self.multiples[i])
            self.others[i].copy_(self.other_masters[i])

    def zero_grad(self):
        for p in self.others + [p for group in self.groups for p in group]:
            p.grad = None

    def state_dict(self):
        return {k: getattr(self, k) for k in ("masters", "momenta", "other_masters", "first", "second", "steps")}

    @torch.no_grad()
    def load_state_dict(self, state):
        for key, value in state.items():
            setattr(self, key, value)
        for group, master in zip(self.groups, self.masters):
            for p, m in zip(group, master):
                p.copy_(m)
        for p, m in zip(self.others, self.other_masters):
            p.copy_(m)
