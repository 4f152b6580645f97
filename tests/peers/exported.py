"""A PyTorch module as an ONNX file, for ONNX Runtime and OpenVINO.

The file is of the row's own sizes, nothing in it is left open: what these engines can know, they know. It is written by
PyTorch's exporter with operator set 23, the first that has attention as one operator.
"""

import logging

import torch

import engines

OPERATORS = 23


def export(module, values, path):
    """Writes the file, with the weights beside it."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    names = [f"input_{number}" for number in range(len(values))]
    options = {"dynamo": True, "opset_version": OPERATORS, "external_data": True, "verbose": False}
    with torch.no_grad():
        torch.onnx.export(module, values, path, input_names=names, **options)
    return path


def peers(row, module, values, runtime=engines.onnx_runtime, openvino=engines.openvino):
    """Both engines as peers of a row; of the results the first is the one that counts.

    The file is written when the first of them asks for it. What makes a call of it can be given, as it may first change
    the weights.
    """
    path = row.folder / "exported.onnx"
    arrays = [engines.array(value) for value in values]

    def prepare(engine):
        if not path.exists():
            export(module, values, path)
        made = engine(path, row.threads)
        return lambda: made(*arrays)[0]

    row.peer("ONNX Runtime", lambda: prepare(runtime))
    row.peer("OpenVINO", lambda: prepare(openvino))
