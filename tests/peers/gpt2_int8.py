"""GPT-2 with its weights in 8 bits, by each library's own way to get there without data: PyTorch's dynamic
quantization, ONNX Runtime's, OpenVINO's weights compressed by NNCF, seqc's `--weights q8 --activations 8`.

Each rounds in its own way, so that values agree roughly. What is held against each other is the direction of the last
position's logits, with those in 32 bits; which is the largest does not count, as weights at random have many near it.
"""

import logging

import torch

import agreement
import engines
import exported
import gpt2
import pytorch

NEAR = 0.997


class Product(torch.nn.Module):
    """A product as ONNX Runtime looks for it: of a matrix that lies as it is multiplied with, and has no other use."""

    def __init__(self, weight, bias):
        super().__init__()
        self.weight, self.bias = torch.nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format)), bias

    def forward(self, x):
        return x @ self.weight if self.bias is None else x @ self.weight + self.bias


def linear(weight, bias):
    """The product of x and a matrix, as PyTorch looks for it."""
    made = torch.nn.Linear(*weight.shape, bias=bias is not None)
    made.weight = torch.nn.Parameter(weight.detach().T.contiguous())
    made.bias = bias
    return made


def replaced(made, by):
    """The model with products of another kind: its own, which are transposed, are overlooked."""
    import copy

    from transformers.pytorch_utils import Conv1D

    made = copy.deepcopy(made)
    for module in list(made.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Conv1D):
                setattr(module, name, by(child.weight, child.bias))
    made.lm_head = by(made.lm_head.weight.T, None)
    return made.eval()


def dynamic_quantized(made):
    """In PyTorch."""
    from torch.ao.quantization import quantize_dynamic

    return quantize_dynamic(replaced(made, linear), {torch.nn.Linear}, dtype=torch.qint8)


def onnx_runtime(path, threads):
    """ONNX Runtime with the weights of products in 8 bits, one scale for each column. Attention stays as it is: what is
    made of it in 8 bits does not load."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    smaller = path.with_name("int8.onnx")
    options = {"per_channel": True, "op_types_to_quantize": ["MatMul"], "use_external_data_format": True}
    quantize_dynamic(path, smaller, weight_type=QuantType.QInt8, **options)
    return engines.onnx_runtime(smaller, threads)


def openvino(path, threads):
    """OpenVINO with the file's weights in 8 bits, one scale and zero for each column."""
    import nncf
    import openvino as library

    nncf.set_log_level(logging.ERROR)
    return engines.openvino(nncf.compress_weights(library.Core().read_model(path)), threads)


def prepare(row, length):
    """As in 32 bits, but roughly."""
    row.more = ["--weights", "q8", "--activations", "8"]
    row.rule, row.seqc = agreement.Alike(NEAR, top=False), agreement.saved
    return gpt2.model(row, length)


def prompt(row, length):
    """A prompt."""
    made, tokens = prepare(row, length)
    row.peer("PyTorch", lambda: pytorch.in_inference(gpt2.Prompt(dynamic_quantized(made)), tokens))
    exported.peers(row, gpt2.Prompt(replaced(made, Product)), (tokens,), onnx_runtime, openvino)


def token(row, length):
    """One token after so many."""
    made, tokens = prepare(row, length)
    last, before = gpt2.one_more(row, made, tokens)
    row.peer("PyTorch", lambda: gpt2.dynamic(dynamic_quantized(made), tokens))
    exported.peers(row, gpt2.Step(replaced(made, Product)), (last, *before), onnx_runtime, openvino)
