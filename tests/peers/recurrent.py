"""Recurrent rows: PyTorch's own modules, and the ONNX operators with the same weights in ONNX Runtime and OpenVINO."""

import json

import numpy
import onnx
import onnxruntime
import openvino
import torch
from onnx import helper, numpy_helper
from safetensors.torch import save_file

# (example, PyTorch's module, ONNX's operator, PyTorch's gates in ONNX's order)
CELLS = {
    "LSTM": ("lstm", torch.nn.LSTM, [0, 3, 1, 2]),
    "GRU": ("gru", torch.nn.GRU, [1, 0, 2]),
    "RNN": ("rnn_tanh", torch.nn.RNN, [0]),
}


def graph(cell, module, width, order):
    """An ONNX model of one operator."""

    def gates(weight):
        parts = weight.detach().numpy().reshape(len(order), width, *weight.shape[1:])
        return parts[order].reshape(weight.shape)

    fixed = {
        "W": gates(module.weight_ih_l0)[None],
        "R": gates(module.weight_hh_l0)[None],
        "B": numpy.concatenate([gates(module.bias_ih_l0), gates(module.bias_hh_l0)])[None],
    }
    attributes = {"hidden_size": width}
    if cell == "GRU":
        attributes["linear_before_reset"] = 1
    float32 = onnx.TensorProto.FLOAT
    made = helper.make_graph(
        [helper.make_node(cell, ["x", "W", "R", "B"], ["y"], **attributes)],
        cell,
        [helper.make_tensor_value_info("x", float32, ["T", "B", width])],
        [helper.make_tensor_value_info("y", float32, ["T", 1, "B", width])],
        [numpy_helper.from_array(numpy.ascontiguousarray(array), name) for name, array in fixed.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 14)], ir_version=8).SerializeToString()


def row(folder, cell, sequences, length, width, threads):
    """Weights and inputs in a folder; what seqc is called with; what each peer is called with."""
    example, module, order = CELLS[cell]
    torch.manual_seed(1)
    module = module(width, width, batch_first=True).eval()
    x = torch.randn(sequences, length, width)
    with torch.no_grad():
        expected = module(x)[0]
    save_file(module.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"input_size": width, "hidden_size": width}))
    save_file({"in.x": x, "out.y": expected.contiguous()}, folder / "io.safetensors")

    model = graph(cell, module, width, order)
    along = numpy.ascontiguousarray(x.numpy().transpose(1, 0, 2))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(core.read_model(model=model), "CPU", settings)
    request = compiled.create_infer_request()

    def eager():
        with torch.inference_mode():
            return module(x)[0]

    for name, found in (("ONNX Runtime", session.run(None, {"x": along})[0]), ("OpenVINO", request.infer([along])[0])):
        far = numpy.abs(found[:, 0].transpose(1, 0, 2) - expected.numpy()).max()
        if far > 1e-4:
            raise RuntimeError(f"{name} differs from PyTorch by {far}")
    return {
        "file": f"examples/{example}.seq",
        "peers": {
            "PyTorch": eager,
            "ONNX Runtime": lambda: session.run(None, {"x": along}),
            "OpenVINO": lambda: request.infer([along]),
        },
    }


class PeepholeCell(torch.nn.Module):
    """The LSTM of examples/cell_peephole_layernorm_lstm.seq, as one writes it in PyTorch: no library has it."""

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


def peephole_row(folder, sequences, length, width, threads):
    """The same for a cell of one's own, scripted."""
    torch.manual_seed(1)
    module = PeepholeCell(width).eval()
    scripted = torch.jit.script(module)
    x = torch.randn(sequences, length, width)
    with torch.no_grad():
        expected = module(x)
    save_file({name: weight.contiguous() for name, weight in module.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"input_size": width, "hidden_size": width, "eps": 1e-5}))
    save_file({"in.x": x, "out.y": expected.contiguous()}, folder / "io.safetensors")

    def run():
        with torch.inference_mode():
            return scripted(x)

    return {"file": "examples/cell_peephole_layernorm_lstm.seq", "peers": {"PyTorch scripted": run}}
