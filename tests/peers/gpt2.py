"""GPT-2 with 124M weights at random: a prompt with logits at every position, and one token more after a prompt."""

import torch
from safetensors.torch import save_file

from transformers_rows import in_inference


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


def prompt(row, length):
    """All logits of a prompt, and nothing kept."""
    made, tokens = model(row, length)
    row.peer("PyTorch", lambda: in_inference(lambda: made(tokens, use_cache=False).logits))


def token(row, length):
    """One token after so many, which is the last of them once more: so every step is the same."""
    made, tokens = model(row, length)
    last = tokens[:, -1:]
    with torch.inference_mode():
        row.expected = made(torch.cat([tokens, last], 1)).logits[:, -1:].clone()
        kept = made(tokens, use_cache=True).past_key_values
    row.profile = ["--step"]

    def step():
        found = made(last, past_key_values=kept, use_cache=True).logits
        kept.crop(-1)  # Back to the prompt.
        return found

    row.peer("PyTorch", lambda: in_inference(step))
