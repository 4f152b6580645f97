"""A translation: the Transformer of 2017 in its base size reads 64 tokens and writes 64, each the most probable one.

The whole of it is timed, from the tokens that are read to the last that is written, with the weights loaded and
everything compiled. No token ends it, so that all write as many. seqc says itself how long that took, of a process that
does it once; its peers do it again and again. All count on the wall.

What counts is that all write the same tokens, each of which depends on all before. The largest number has to lead at
each of them, by more than what sums in another order change. seqc's numbers at all positions are compared as well.
"""

import json

import torch
from safetensors.torch import save_file

import agreement
import ctranslate
import translation_steps
from translation_model import HEADS, INNER, LAYERS, START, VOCABULARY, WIDTH, model, plain

LEAD, NEAR = 0.005, 1e-3


def translation(row, read, written):
    """The row."""
    made = model()
    source = torch.randint(3, VOCABULARY, (1, read))
    with torch.inference_mode():
        tokens = plain(made, source, written).clone()
        logits = made(source, tokens[:, :-1])
    first, second = logits.topk(2).values.unbind(-1)
    if float((first - second).min()) < LEAD:
        raise RuntimeError(f"somewhere the most probable token leads by less than {LEAD}: another seed is needed")
    row.file, row.expected, row.rule = "examples/transformer_translation.seq", tokens, agreement.Within(0)
    save(row, made, {"in.source": source, "in.target": tokens[:, :-1], "out.logits": logits, "out.greedy": tokens})
    row.seqc = lambda row: agreement.verify(row, NEAR)
    given = ",".join(map(str, source[0].tolist()))
    row.generation = ["--tokens", given, "--start", str(START), "--max-tokens", str(written)]
    translation_steps.peers(row, made, source, written)
    row.peer("CTranslate2", lambda: ctranslate.call(row, made, source, written), package="ctranslate2")


def save(row, made, values):
    """Weights and values for seqc."""
    weights = {name: weight.contiguous() for name, weight in made.state_dict().items()}
    save_file(weights, row.folder / "model.safetensors")
    config = {"vocab": VOCABULARY, "d_model": WIDTH, "nhead": HEADS, "dim_feedforward": INNER}
    config |= {"num_encoder_layers": LAYERS, "num_decoder_layers": LAYERS}
    (row.folder / "config.json").write_text(json.dumps(config))
    save_file({name: value.clone() for name, value in values.items()}, row.io)
