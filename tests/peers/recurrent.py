"""Recurrent rows: PyTorch's own modules, and the ONNX operators with the same weights in ONNX Runtime and OpenVINO."""

import json

import numpy
import onnx
import torch
from onnx import helper, numpy_helper
from safetensors.torch import save_file

import agreement
import candle
import engines

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


def cell(row, kind, sequences, length, width):
    """One of the cells that libraries have."""
    example, module, order = CELLS[kind]
    torch.manual_seed(1)
    module = module(width, width, batch_first=True).eval()
    x = torch.randn(sequences, length, width)
    with torch.no_grad():
        row.expected = module(x)[0].contiguous()
    row.file, row.rule = f"examples/{example}.seq", agreement.Within(1e-3)
    save_file(module.state_dict(), row.folder / "model.safetensors")
    (row.folder / "config.json").write_text(json.dumps({"input_size": width, "hidden_size": width}))
    save_file({"in.x": x, "out.y": row.expected}, row.io)

    model = graph(kind, module, width, order)
    along = engines.array(x.transpose(0, 1))

    def pytorch():
        def call():
            with torch.inference_mode():
                return module(x)[0]

        return call

    def engine(made):
        return lambda: made(along)[0][:, 0].transpose(1, 0, 2)

    row.peer("PyTorch", pytorch)
    row.peer("ONNX Runtime", lambda: engine(engines.onnx_runtime(model, row.threads)))
    row.peer("OpenVINO", lambda: engine(engines.openvino(model, row.threads)))
    if kind in ("LSTM", "GRU"):  # It has no RNN.
        candle.peer(row, kind.lower())
