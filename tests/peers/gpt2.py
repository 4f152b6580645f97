"""GPT-2 with 124M weights at random: a prompt with logits at every position, and one token more after a prompt."""

import torch
from safetensors.torch import save_file

import agreement
import exported
import pytorch


def model(row, length):
    """The model, a prompt, and what it computes of it, which is expected of all others."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(1)
    made = GPT2LMHeadModel(GPT2Config()).eval()
    made.save_pretrained(row.folder)
    tokens = torch.randint(0, 50257, (1, length))
    with torch.inference_mode():
        logits = made(tokens).logits.clone().contiguous()
    save_file({"in.tokens": tokens, "out.logits": logits}, row.io)
    row.file, row.expected = "examples/gpt2.seq", logits
    return made, tokens


class Prompt(torch.nn.Module):
    """All logits, and nothing kept."""

    def __init__(self, made):
        super().__init__()
        self.made = made

    def forward(self, tokens):
        return self.made(tokens, use_cache=False).logits


class Step(torch.nn.Module):
    """A token's logits, and all keys and values: those of the tokens before are given, layer by layer."""

    def __init__(self, made):
        super().__init__()
        self.made = made

    def forward(self, token, *before):
        from transformers import DynamicCache

        cache = DynamicCache()
        for layer in range(len(before) // 2):
            cache.update(before[2 * layer], before[2 * layer + 1], layer)
        logits = self.made(token, past_key_values=cache, use_cache=True).logits
        return logits, *(kept for layer in cache.layers for kept in (layer.keys, layer.values))


def prompt(row, length):
    """A prompt."""
    made, tokens = model(row, length)
    module = Prompt(made)
    row.peer("PyTorch", lambda: pytorch.in_inference(module, tokens))
    row.peer("PyTorch compiled", lambda: pytorch.compiled(module, tokens))
    exported.peers(row, module, (tokens,))


def one_more(row, made, tokens):
    """The token after a prompt, which is its last once more, and what is kept of the prompt. Expects its logits."""
    last = tokens[:, -1:]
    with torch.no_grad():
        row.expected = made(torch.cat([tokens, last], 1)).logits[:, -1:].clone()
        layers = made(tokens, use_cache=True).past_key_values.layers
    row.profile, row.seqc = ["--step"], agreement.and_step(row.seqc)
    return last, [kept for layer in layers for kept in (layer.keys, layer.values)]


def step(kept, called, last):
    """A token's logits. What is kept is cut back after it, so that all steps are alike."""

    def call():
        found = called(last, past_key_values=kept, use_cache=True).logits
        kept.crop(-1)
        return found

    return call


def dynamic(made, tokens):
    """A step in PyTorch as it is."""
    with torch.inference_mode():
        kept = made(tokens, use_cache=True).past_key_values
    return pytorch.in_inference(step(kept, made, tokens[:, -1:]))


def token(row, length):
    """One token after so many."""
    from transformers import StaticCache

    made, tokens = model(row, length)
    last, before = one_more(row, made, tokens)

    def compiled():  # Tensors of fixed sizes are kept, with room for a few tokens more.
        kept = StaticCache(config=made.config, max_cache_len=length + 16)
        with torch.no_grad():
            made(tokens, past_key_values=kept, use_cache=True)
        return pytorch.without_gradients(step(kept, pytorch.compiler(made), last))

    row.peer("PyTorch", lambda: dynamic(made, tokens))
    row.peer("PyTorch compiled", compiled)
    exported.peers(row, Step(made), (last, *before))
