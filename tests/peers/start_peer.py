"""A whole process of start.py: loads MiniLM in one library, and prints a sentence's vector.

Called with the library, the model exported, its folder as published, the threads and the text. Nothing is imported that
the library does not need.
"""

import json
import sys


def pytorch(file, folder, threads, text):
    """As most use it: the published folder."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(threads)
    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt").input_ids
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return torch.nn.functional.normalize(model(tokens).last_hidden_state.mean(1), dim=-1)[0]


def cut(folder, text):
    """The sentence's tokens."""
    import numpy
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.no_padding()
    return numpy.array([tokenizer.encode(text).ids], dtype=numpy.int64)


def onnx_runtime(file, folder, threads, text):
    """The file, and nothing kept beside it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: cut(folder, text)})[0][0]


def openvino(file, folder, threads, text):
    """The file, compiled once and kept in a folder beside it."""
    import openvino as library

    core = library.Core()
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "CACHE_DIR": f"{file}.cache",
    }
    return core.compile_model(file, "CPU", settings)([cut(folder, text)])[0][0]


library, exported, published, count, sentence = sys.argv[1:]
vector = globals()[library](exported, published, int(count), sentence)
print(json.dumps([float(number) for number in vector]))
