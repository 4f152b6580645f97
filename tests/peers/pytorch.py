"""PyTorch's own ways to run a module: as it is, and compiled (`torch.compile`).

Compiled means with `freezing`, which fixes the weights and lays them out anew, an option that PyTorch has for
inference: on processors it is much of the gain. What compiles for minutes is asked for with --slow.
"""

import torch


def in_inference(function, *given):
    """A call without gradients."""

    def call():
        with torch.inference_mode():
            return function(*given)

    return call


def compiler(module):
    """The module compiled, which happens at its first call."""
    import torch._inductor.config

    torch._inductor.config.freezing = True
    return torch.compile(module)


def compiled(module, *given):
    """A call of a module compiled. Freezing asks for `no_grad`, as tensors of the inference mode can't be kept."""
    return without_gradients(compiler(module), *given)


def without_gradients(function, *given):
    """A call without gradients, whose tensors are as all others."""

    def call():
        with torch.no_grad():
            return function(*given)

    return call
