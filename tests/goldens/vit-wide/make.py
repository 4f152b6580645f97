"""ViT on wide grey images and flat patches, as transformers' ViTForImageClassification computes it in float64."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from save import hugging_face, save, short
from transformers import ViTConfig, ViTForImageClassification

config = ViTConfig(
    image_size=[12, 40],
    patch_size=[4, 8],
    num_channels=1,
    hidden_size=20,
    num_hidden_layers=3,
    num_attention_heads=5,
    intermediate_size=28,
    num_labels=4,
    attn_implementation="eager",
)
model, weights = hugging_face(ViTForImageClassification, config, 4)
pixels = torch.randn(3, 1, 12, 40).to(torch.float64)
with torch.no_grad():
    out = model(pixels, output_hidden_states=True)
    hidden = model.vit(pixels).last_hidden_state
save(
    Path(__file__).parent,
    short(config),
    weights,
    {"pixels": pixels.numpy()},
    {"hidden": hidden.numpy(), "logits": out.logits.numpy()},
)
