"""RoBERTa as transformers' RobertaForMaskedLM computes it in float64, for sentences of two lengths; padding is token 1, so that
positions count from 2."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from save import hugging_face, save, short
from transformers import RobertaConfig, RobertaForMaskedLM

config = RobertaConfig(
    vocab_size=47,
    max_position_embeddings=22,
    type_vocab_size=1,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=40,
    pad_token_id=1,
    layer_norm_eps=1e-5,
    attn_implementation="eager",
)
model, weights = hugging_face(RobertaForMaskedLM, config, 3)
# The output is the embedding's own table, and its bias is there twice.
weights.pop("lm_head.decoder.weight"), weights.pop("lm_head.decoder.bias", None)
tokens, lengths = torch.randint(2, 47, (2, 20)), torch.tensor([20, 7])
mask = (torch.arange(20) < lengths[:, None]).long()
tokens = torch.where(mask == 1, tokens, 1)
with torch.no_grad():
    out = model(tokens, attention_mask=mask, output_hidden_states=True)
hidden, logits = out.hidden_states[-1] * mask[:, :, None], out.logits * mask[:, :, None]
save(
    Path(__file__).parent,
    short(config),
    weights,
    {"tokens": tokens.numpy(), "lengths": lengths.numpy()},
    {"hidden": hidden.numpy(), "logits": logits.numpy()},
)
