"""Cells that no library has, as one writes them oneself: the LayerNorm-LSTM, whose state goes through functions, and
the minGRU, which is affine in its state and is computed for all positions at once.
"""

import json

import torch
from safetensors.torch import save_file

import pytorch


class PeepholeCell(torch.nn.Module):
    """The LSTM of examples/cell_peephole_layernorm_lstm.seq, as one writes it in PyTorch."""

    def __init__(self, width: int):
        super().__init__()
        for gate in ("input", "forget", "output", "candidate"):
            setattr(self, f"{gate}_x", torch.nn.Linear(width, width))
            setattr(self, f"{gate}_h", torch.nn.Linear(width, width, bias=False))
            setattr(self, f"{gate}_norm", torch.nn.LayerNorm(width))
        self.cell_norm = torch.nn.LayerNorm(width)
        for gate in ("input", "forget", "output"):
            setattr(self, f"{gate}_peephole", torch.nn.Parameter(0.1 * torch.randn(width)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.zeros(x.shape[0], x.shape[2])
        c = torch.zeros(x.shape[0], x.shape[2])
        i_x, f_x, o_x, g_x = self.input_x(x), self.forget_x(x), self.output_x(x), self.candidate_x(x)
        all_h: list[torch.Tensor] = []
        for t in range(x.shape[1]):
            i = torch.sigmoid(self.input_norm(i_x[:, t] + self.input_h(h)) + self.input_peephole * c)
            f = torch.sigmoid(self.forget_norm(f_x[:, t] + self.forget_h(h)) + self.forget_peephole * c)
            g = torch.tanh(self.candidate_norm(g_x[:, t] + self.candidate_h(h)))
            c = f * c + i * g
            o = torch.sigmoid(self.output_norm(o_x[:, t] + self.output_h(h)) + self.output_peephole * c)
            h = o * torch.tanh(self.cell_norm(c))
            all_h.append(h)
        return torch.stack(all_h, 1)


def save(row, module, x, output, **config):
    """Weights and values for seqc."""
    with torch.no_grad():
        row.expected = module(x).contiguous()
    width = x.shape[-1]
    weights = {name: weight.contiguous() for name, weight in module.state_dict().items()}
    save_file(weights, row.folder / "model.safetensors")
    (row.folder / "config.json").write_text(json.dumps({"input_size": width, "hidden_size": width, **config}))
    save_file({"in.x": x, f"out.{output}": row.expected}, row.io)


def peephole(row, sequences, length, width):
    """The LayerNorm-LSTM."""
    torch.manual_seed(1)
    module = PeepholeCell(width).eval()
    x = torch.randn(sequences, length, width)
    row.file = "examples/cell_peephole_layernorm_lstm.seq"
    save(row, module, x, "y", eps=1e-5)
    row.peer("PyTorch scripted", lambda: pytorch.in_inference(torch.jit.script(module), x))
    if row.slow:  # All steps are unrolled: two minutes and more.
        row.peer("PyTorch compiled", lambda: pytorch.compiled(module, x))
    jax(row, "peephole", module, x)


class MinGRU(torch.nn.Module):
    """The minGRU of examples/cell_mingru.seq.

    Its sums are taken by doubling: after each round a position has what twice as many before it add. The paper's way,
    in logarithms, needs candidates above nothing, and these may be below; to divide by the product of all that is kept
    so far ends after a hundred positions or so, where 32 bits have no number as small as that product.
    """

    def __init__(self, width):
        super().__init__()
        self.update, self.candidate = torch.nn.Linear(width, width), torch.nn.Linear(width, width)

    def forward(self, x):
        update = torch.sigmoid(self.update(x))
        keep, h = 1 - update, update * self.candidate(x)
        reach = 1
        while reach < x.shape[1]:
            h = torch.cat([h[:, :reach], h[:, reach:] + keep[:, reach:] * h[:, :-reach]], 1)
            keep = torch.cat([keep[:, :reach], keep[:, reach:] * keep[:, :-reach]], 1)
            reach *= 2
        return h


class MinGRUStepwise(MinGRU):
    """The same, one position after the other."""

    def forward(self, x):
        update = torch.sigmoid(self.update(x))
        add = update * self.candidate(x)
        h = torch.zeros(x.shape[0], x.shape[2])
        all_h: list[torch.Tensor] = []
        for t in range(x.shape[1]):
            h = (1 - update[:, t]) * h + add[:, t]
            all_h.append(h)
        return torch.stack(all_h, 1)


def min_gru(row, sequences, length, width):
    """The minGRU."""
    torch.manual_seed(1)
    module, stepwise = MinGRU(width).eval(), MinGRUStepwise(width).eval()
    stepwise.load_state_dict(module.state_dict())
    x = torch.randn(sequences, length, width)
    row.file = "examples/cell_mingru.seq"
    save(row, module, x, "y")
    row.peer("PyTorch", lambda: pytorch.in_inference(module, x))
    row.peer("PyTorch scripted", lambda: pytorch.in_inference(torch.jit.script(stepwise), x))
    row.peer("PyTorch compiled", lambda: pytorch.compiled(module, x))
    jax(row, "min_gru", module, x)


def jax(row, name, module, x):
    """JAX as a peer, if it is installed."""

    def prepare():
        import jax_cells

        return jax_cells.call(getattr(jax_cells, name), module, x)

    row.peer("JAX", prepare, package="jax")
