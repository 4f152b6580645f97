"""Attention alone, and encoders as Hugging Face's library has them, with weights at random where none are published."""

import os
import pathlib

import torch
import torch.nn.functional as functional
from safetensors.torch import save_file

import candle
import exported
import pytorch
from row import Missing

MODELS = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "seqwright"


def published(name):
    """A file or folder that was fetched."""
    if not (MODELS / name).exists():
        raise Missing("its weights are not there: scripts/fetch-models.sh")
    return MODELS / name


def expect(row, module, names, values, output):
    """What PyTorch computes is what is expected of all others."""
    with torch.inference_mode():
        row.expected = module(*values).clone().contiguous()
    given = {f"in.{name}": value.contiguous() for name, value in zip(names, values)}
    save_file({**given, f"out.{output}": row.expected}, row.io)
    row.peer("PyTorch", lambda: pytorch.in_inference(module, *values))
    row.peer("PyTorch compiled", lambda: pytorch.compiled(module, *values))
    exported.peers(row, module, values)


class Attention(torch.nn.Module):
    """A causal attention by itself, positions before heads."""

    def forward(self, q, k, v):
        q, k, v = (one.transpose(1, 2) for one in (q, k, v))
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)


def attention(row, length, heads=12, width=64):
    """Attention alone, which has no weights. What is given lies as products leave it: positions before heads."""
    torch.manual_seed(1)
    values = tuple(torch.randn(1, length, heads, width) for _ in range(3))
    row.file, row.checkpoint = "tests/peers/attention.seq", None
    row.more = ["--set", f"heads={heads}", "--set", f"width={width}"]
    expect(row, Attention(), "qkv", values, "out")


class MiniLM(torch.nn.Module):
    """The published encoder, with the mean and the length 1 that make a sentence's vector."""

    def __init__(self, folder):
        super().__init__()
        from transformers import AutoModel

        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32)

    def forward(self, tokens):
        return functional.normalize(self.model(tokens).last_hidden_state.mean(1), dim=-1)


def minilm(row, sequences, length):
    """MiniLM-L6."""
    row.file, row.checkpoint = "examples/minilm.seq", published("minilm")
    module = MiniLM(row.checkpoint).eval()
    torch.manual_seed(1)
    expect(row, module, ["tokens"], (torch.randint(1000, 20000, (sequences, length)),), "vector")
    candle.peer(row, "minilm")


class ViT(torch.nn.Module):
    """Hugging Face's, whose result is one tensor."""

    def __init__(self):
        super().__init__()
        from transformers import ViTConfig, ViTForImageClassification

        self.model = ViTForImageClassification(ViTConfig())

    def forward(self, pixels):
        return self.model(pixels).logits


def vit(row, images):
    """ViT-B/16."""
    torch.manual_seed(1)
    module = ViT().eval()
    module.model.save_pretrained(row.folder)
    row.file = "examples/vit.seq"
    expect(row, module, ["pixels"], (torch.randn(images, 3, 224, 224),), "logits")
    candle.peer(row, "vit")
