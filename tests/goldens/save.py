"""Writes a golden case: float32 weights, inputs, and outputs that were computed in float64 from those very weights.

Used by the `make.py` beside a case. Needs numpy and safetensors; the cases made from Hugging Face classes also torch 2.15 and
transformers 5.24.
"""

import json
from pathlib import Path

import numpy
from safetensors.numpy import save_file


def save(folder, config, weights, inputs, outputs):
    """`weights`, `inputs` and `outputs` are numpy arrays by name."""
    folder = Path(folder)

    def stored(array):
        array = numpy.asarray(array)
        whole = numpy.issubdtype(array.dtype, numpy.integer)
        return numpy.ascontiguousarray(array.astype(numpy.int64 if whole else numpy.float32))

    save_file({name: stored(array) for name, array in weights.items()}, folder / "model.safetensors")
    io = {f"in.{name}": stored(array) for name, array in inputs.items()}
    io |= {f"out.{name}": stored(array) for name, array in outputs.items()}
    save_file(io, folder / "io.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")


def hugging_face(model_class, config, seed):
    """A model with random weights that float32 holds exactly, and which computes in float64."""
    import torch

    torch.manual_seed(seed)
    model = model_class(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Norms and biases are one and zero at the start: other numbers say more.
            parameter.add_(0.2 * torch.randn_like(parameter))
    weights = {name: tensor.float().numpy().copy() for name, tensor in model.state_dict().items()}
    model = model.double()
    float64_throughout()
    return model, weights


def float64_throughout():
    """Models fall back to float32 in places (norms, angles, states); from here on those are float64 too."""
    import torch

    torch.Tensor.float = torch.Tensor.double
    torch.float32 = torch.float = torch.float64


def short(config):
    """What a table reads of a configuration, without this computer's own defaults."""
    kept = config.to_dict()
    for name in ["_name_or_path", "transformers_version", "dtype", "architectures"]:
        kept.pop(name, None)
    return kept
