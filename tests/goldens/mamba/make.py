"""Mamba as transformers' MambaForCausalLM computes it, position by position in float64."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from save import hugging_face, save, short
from transformers import MambaConfig, MambaForCausalLM

config = MambaConfig(vocab_size=31, hidden_size=24, state_size=5, num_hidden_layers=2, conv_kernel=4, expand=2, time_step_rank=3)
model, weights = hugging_face(MambaForCausalLM, config, 1)
# The output is the embedding's own table.
weights.pop("lm_head.weight")
tokens = torch.randint(0, 31, (2, 19))
with torch.no_grad():
    logits = model(tokens, use_cache=False).logits
save(Path(__file__).parent, short(config), weights, {"tokens": tokens.numpy()}, {"logits": logits.numpy()})
