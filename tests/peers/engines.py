"""Engines that are given a model as an ONNX file: ONNX Runtime and OpenVINO, each as something to call with arrays.

Both are told the number of threads and nothing else that is not their default, but that OpenVINO is to compute in 32
bits and to answer one request soon, and not to copy what goes in and comes out.
"""

import numpy


def onnx_runtime(model, threads):
    """A call that takes arrays in the model's order and gives all its results. `model` is a path or its bytes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    given = model if isinstance(model, bytes) else str(model)
    session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return lambda *arrays: session.run(None, dict(zip(names, arrays)))


def openvino(model, threads, **settings):
    """The same. `model` is also one that OpenVINO itself has made."""
    import openvino as library

    core = library.Core()
    if isinstance(model, bytes):
        model = core.read_model(model=model)
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        **settings,
    }
    compiled = core.compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()

    def call(*arrays):
        found = request.infer(list(arrays), share_inputs=True, share_outputs=True)
        return [found[one] for one in compiled.outputs]

    call.keeps = (core, compiled)  # As long as the call lives.
    return call


def array(tensor):
    """PyTorch's tensor as an array whose numbers lie one after the other."""
    return numpy.ascontiguousarray(tensor.detach().numpy())
