"""Attention alone, and whole transformers as Hugging Face's library has them, with weights at random where none are published."""

import os
import pathlib

import numpy
import torch
import torch.nn.functional as functional
from safetensors.torch import save_file

MODELS = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "seqwright"


def attention(folder, length, heads=12, width=64):
    """A causal attention by itself."""
    torch.manual_seed(1)
    q, k, v = (torch.randn(1, heads, length, width) for _ in range(3))
    expected = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    by_position = {f"in.{name}": given.transpose(1, 2).contiguous() for name, given in zip("qkv", (q, k, v))}
    save_file({**by_position, "out.out": expected.transpose(1, 2).contiguous()}, folder / "io.safetensors")
    save_file({"none": torch.zeros(1)}, folder / "model.safetensors")

    def run():
        with torch.inference_mode():
            return functional.scaled_dot_product_attention(q, k, v, is_causal=True)

    sizes = ["--set", f"heads={heads}", "--set", f"width={width}"]
    return {"file": "tests/peers/attention.seq", "no_checkpoint": True, "more": sizes, "peers": {"PyTorch": run}}


def minilm(folder, sequences, length):
    """A published encoder; None where it was not fetched."""
    from transformers import AutoModel

    checkpoint = MODELS / "minilm"
    if not checkpoint.exists():
        return None
    model = AutoModel.from_pretrained(checkpoint, dtype=torch.float32).eval()
    torch.manual_seed(1)
    tokens = torch.randint(1000, 20000, (sequences, length))

    def run():
        with torch.inference_mode():
            return functional.normalize(model(tokens).last_hidden_state.mean(1), dim=-1)

    save_file({"in.tokens": tokens, "out.vector": run().clone().contiguous()}, folder / "io.safetensors")
    return {"file": "examples/minilm.seq", "checkpoint": checkpoint, "peers": {"PyTorch": run}}


def vit(folder, images):
    """ViT-B/16."""
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(1)
    model = ViTForImageClassification(ViTConfig()).eval()
    model.save_pretrained(folder)
    pixels = torch.randn(images, 3, 224, 224)

    def run():
        with torch.inference_mode():
            return model(pixels).logits

    save_file({"in.pixels": pixels, "out.logits": run().clone().contiguous()}, folder / "io.safetensors")
    return {"file": "examples/vit.seq", "peers": {"PyTorch": run}}


def gpt2(folder, length, step):
    """GPT-2 with 124M weights: a prompt, or one token more after it."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(1)
    model = GPT2LMHeadModel(GPT2Config()).eval()
    model.save_pretrained(folder)
    tokens = torch.randint(0, 50257, (1, length))
    with torch.inference_mode():
        first = model(tokens, use_cache=True)
    save_file({"in.tokens": tokens, "out.logits": first.logits.clone().contiguous()}, folder / "io.safetensors")

    def prompt():
        with torch.inference_mode():
            return model(tokens, use_cache=False).logits

    def token():
        with torch.inference_mode():
            found = model(tokens[:, -1:], past_key_values=first.past_key_values, use_cache=True).logits
            # What is kept is cut back to the prompt, so that every step is the same.
            first.past_key_values.crop(-1)
            return found

    more = ["--step"] if step else []
    return {"file": "examples/gpt2.seq", "profile": more, "peers": {"PyTorch": token if step else prompt}}
