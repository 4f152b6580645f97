"""torch.nn.Conv1d, one kernel for each feature and padded in front alone, SiLU, and torch.nn.GRU, in float64."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from save import save

torch.manual_seed(13)
inputs, size, width = 9, 14, 4
convolution = torch.nn.Conv1d(inputs, inputs, width, groups=inputs, padding=width - 1)
gru = torch.nn.GRU(inputs, size, batch_first=True)
weights = {f"conv.{name}": tensor.numpy().copy() for name, tensor in convolution.state_dict().items()}
weights |= {f"gru.{name}": tensor.numpy().copy() for name, tensor in gru.state_dict().items()}
convolution, gru = convolution.double(), gru.double()
x = torch.randn(2, 21, inputs).double()
with torch.no_grad():
    near = torch.nn.functional.silu(convolution(x.transpose(1, 2))[:, :, : x.shape[1]])
    y, h_n = gru(near.transpose(1, 2))
config = {"input_size": inputs, "hidden_size": size, "kernel_size": width}
save(Path(__file__).parent, config, weights, {"x": x.numpy()}, {"y": y.numpy(), "h_n": h_n[0].numpy()})
