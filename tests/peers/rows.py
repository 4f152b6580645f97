"""The rows of the table: each one's name, and which function fills it in with what.

Only names here, so that a list of them costs nothing: a row's module, with the libraries that it needs, is loaded when
the row is taken.
"""

import importlib

ROWS = {}


def row(name, module, function, *given):
    """One more row."""
    ROWS[name] = (module, function, given)


for cell in ("LSTM", "GRU", "RNN"):
    for sequences, length, width in ((1, 128, 256), (1, 512, 1024), (32, 128, 512)):
        row(f"{cell} {sequences} x {length} x {width}", "recurrent", "cell", cell, sequences, length, width)
for width in (256, 1024):
    row(f"LSTM one step, width {width}", "recurrent", "cell", "LSTM", 1, 1, width)
for sequences, length, width in ((1, 128, 256), (32, 128, 512)):
    row(f"LayerNorm-LSTM {sequences} x {length} x {width}", "own_cells", "peephole", sequences, length, width)
row("minGRU 1 x 4096 x 256", "own_cells", "min_gru", 1, 4096, 256)
for length in (128, 512, 2048, 4096):
    row(f"attention 12 x 64, length {length}", "transformers_rows", "attention", length)
for sequences, length in ((1, 16), (1, 128), (32, 128)):
    row(f"MiniLM-L6 {sequences} x {length}", "transformers_rows", "minilm", sequences, length)
row("ViT-B/16, 1 image", "transformers_rows", "vit", 1)
row("ViT-B/16, 8 images", "transformers_rows", "vit", 8)
row("GPT-2 124M, prompt of 128", "gpt2", "prompt", 128)
row("GPT-2 124M, prompt of 512", "gpt2", "prompt", 512)
row("GPT-2 124M, one token at 128", "gpt2", "token", 128)
row("GPT-2 124M int8, prompt of 128", "gpt2_int8", "prompt", 128)
row("GPT-2 124M int8, prompt of 512", "gpt2_int8", "prompt", 512)
row("GPT-2 124M int8, one token at 128", "gpt2_int8", "token", 128)
row("Transformer base, 64 source to 64 target tokens, greedy", "translation", "translation", 64, 64)
row("SmolLM2-135M Q4_1, prompt of 128", "llama", "prompt", 128, False)
row("SmolLM2-135M Q4_1, prompt of 128, all logits", "llama", "prompt", 128, True)
row("SmolLM2-135M Q4_1, one token at 128", "llama", "token", 128)
row("MiniLM-L6, process to first vector", "start", "minilm")


def fill(empty, name):
    """Prepares a row."""
    module, function, given = ROWS[name]
    getattr(importlib.import_module(module), function)(empty, *given)
