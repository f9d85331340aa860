"""Optimisers, one file each: `make(loaded, plan)` returns a `torch.optim.Optimizer` over what is trained.

What it keeps of a parameter must be tensors and plain values in torch's `state_dict`, so that a run resumes exactly.
"""
