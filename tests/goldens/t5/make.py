"""T5 as transformers' T5ForConditionalGeneration computes it in float64, far enough for every kind of bucket."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from save import hugging_face, save, short
from transformers import T5Config, T5ForConditionalGeneration

config = T5Config(
    vocab_size=37,
    d_model=24,
    d_kv=6,
    d_ff=40,
    num_layers=2,
    num_decoder_layers=2,
    num_heads=3,
    relative_attention_num_buckets=12,
    relative_attention_max_distance=24,
    feed_forward_proj="relu",
    dropout_rate=0.0,
)
model, weights = hugging_face(T5ForConditionalGeneration, config, 5)
# One table for all.
for name in ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"]:
    weights.pop(name, None)
source, target = torch.randint(0, 37, (2, 41)), torch.randint(0, 37, (2, 37))
with torch.no_grad():
    out = model(input_ids=source, decoder_input_ids=target)
save(
    Path(__file__).parent,
    short(config),
    weights,
    {"source": source.numpy(), "target": target.numpy()},
    {"logits": out.logits.numpy()},
)
