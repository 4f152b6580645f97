"""DistilBERT as transformers' DistilBertForSequenceClassification computes it in float64, for sentences of two lengths."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from save import hugging_face, save, short
from transformers import DistilBertConfig, DistilBertForSequenceClassification

config = DistilBertConfig(
    vocab_size=53, max_position_embeddings=24, dim=36, n_layers=2, n_heads=3, hidden_dim=50, num_labels=3, attn_implementation="eager"
)
model, weights = hugging_face(DistilBertForSequenceClassification, config, 2)
tokens, lengths = torch.randint(0, 53, (3, 17)), torch.tensor([17, 9, 1])
mask = (torch.arange(17) < lengths[:, None]).long()
with torch.no_grad():
    out = model(tokens, attention_mask=mask, output_hidden_states=True)
hidden = out.hidden_states[-1] * mask[:, :, None]
save(
    Path(__file__).parent,
    short(config),
    weights,
    {"tokens": tokens.numpy(), "lengths": lengths.numpy()},
    {"hidden": hidden.numpy(), "logits": out.logits.numpy()},
)
