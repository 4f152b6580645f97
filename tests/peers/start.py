"""From nothing to a first vector: whole processes, which load MiniLM, compile what they compile, and run one sentence.

Files were read before, so that they come from memory. ONNX Runtime and OpenVINO get the model exported for this
sentence, OpenVINO compiled and kept in its cache; PyTorch and candle read what seqc reads. candle is a program as seqc
is. The others start Python, and cut the text into tokens by Hugging Face's library for that alone: see start_peer.py.
"""

import json
import sys

import torch

import candle
import exported
import timing
from transformers_rows import MiniLM, published

TEXT = "A man eats."


def minilm(row):
    """MiniLM-L6."""
    from transformers import AutoTokenizer

    row.file, row.checkpoint = "examples/minilm.seq", published("minilm")
    tokens = AutoTokenizer.from_pretrained(row.checkpoint)(TEXT, return_tensors="pt").input_ids
    module = MiniLM(row.checkpoint).eval()
    with torch.inference_mode():
        row.expected = module(tokens)
    path = row.folder / "exported.onnx"
    exported.export(module, (tokens,), path)

    seqc = [timing.SEQC, "run", row.file, "--checkpoint", str(row.checkpoint), "--text", TEXT]
    row.command = [*seqc, "--threads", str(row.threads), "--json"]
    row.seqc = agrees
    for name, engine in (("PyTorch", "pytorch"), ("ONNX Runtime", "onnx_runtime"), ("OpenVINO", "openvino")):
        script = [sys.executable, "tests/peers/start_peer.py", engine, str(path), str(row.checkpoint), str(row.threads)]
        row.peer(name, lambda command=[*script, TEXT]: lambda: [json.loads(timing.process(command))])
    if candle.PROGRAM:
        command, environment = [candle.PROGRAM, "text", str(row.checkpoint), TEXT], candle.environment(row.threads)
        row.peer("candle", lambda: lambda: [json.loads(timing.process(command, environment))])


def agrees(row):
    """Holds what seqc prints against what is expected."""
    said = json.loads(timing.process(row.command))
    return row.rule.differs(said["outputs"][0]["values"], row.expected)
