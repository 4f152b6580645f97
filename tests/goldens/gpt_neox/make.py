"""GPT-NeoX as transformers' GPTNeoXForCausalLM computes it in float64: part of a head is turned, attention and MLP side by side."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from save import hugging_face, save, short
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

config = GPTNeoXConfig(
    vocab_size=43,
    hidden_size=48,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=60,
    max_position_embeddings=64,
    rope_parameters={"rope_type": "default", "rope_theta": 10000, "partial_rotary_factor": 0.25},
    tie_word_embeddings=False,
    attn_implementation="eager",
)
model, weights = hugging_face(GPTNeoXForCausalLM, config, 6)
tokens = torch.randint(0, 43, (2, 27))
with torch.no_grad():
    logits = model(tokens).logits
weights = {name: tensor for name, tensor in weights.items() if not name.endswith("inv_freq")}
save(Path(__file__).parent, short(config), weights, {"tokens": tokens.numpy()}, {"logits": logits.numpy()})
