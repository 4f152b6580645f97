"""Turns hama's p2g.hama and p2g_vocab.json into a checkpoint folder: convert_hama.py ASSETS FOLDER.

In:  p2g.hama: the letters HAMAPK, a byte 1 (version) and a byte 3 (this model); how many tensors there are (u32); for each a
     name (u16 length, text), a byte 1 (float16), its rank (u8) and sizes (u32 each), where its numbers begin after the
     head (u64) and how many bytes they are (u64). The head is filled up to a multiple of 64. All little-endian.
     p2g_vocab.json: {"tokens": [...]}, each token's id its place.
Out: model.safetensors with the same tensors, bit for bit; tokenizer.json, which cuts phonemes at blanks, leaves out bars that
     separate nothing, and puts `<bos> <src>` before and `<tgt>` after them; generation_config.json.
"""

import json
import struct
import sys
from pathlib import Path

from checkpoint_files import word_level_tokenizer, write_json, write_safetensors

SPECIAL = ["<pad>", "<unk>", "<bos>", "<eos>", "<src>", "<tgt>", "<no_source>"]
AT_MOST = 193  # letters and the end, as the package has it


def tensors(data):
    if data[:8] != b"HAMAPK\x01\x03":
        sys.exit("this is not the p2g.hama that this script can read")
    at = 8

    def take(format):
        nonlocal at
        values = struct.unpack_from("<" + format, data, at)
        at += struct.calcsize("<" + format)
        return values

    found = []
    (count,) = take("I")
    for _ in range(count):
        (length,) = take("H")
        name = data[at : at + length].decode()
        at += length
        kind, rank = take("BB")
        if kind != 1:
            sys.exit(f"the tensor {name} is of type {kind}, and not of float16")
        shape = take(f"{rank}I")
        found.append((name, shape, *take("QQ")))
    start = (at + 63) // 64 * 64
    return [(name, "F16", shape, data[start + first : start + first + size]) for name, shape, first, size in found]


if __name__ == "__main__":
    assets, folder = map(Path, sys.argv[1:3])
    write_safetensors(folder / "model.safetensors", tensors((assets / "p2g.hama").read_bytes()))
    tokens = json.loads((assets / "p2g_vocab.json").read_text(encoding="utf-8"))["tokens"]
    if tokens[: len(SPECIAL)] != SPECIAL:
        sys.exit("the vocabulary does not begin as this script expects")

    def replace(pattern, by):
        return {"type": "Replace", "pattern": {"Regex": pattern}, "content": by}

    bars = [
        replace(r"^(?:\s*\|(?=\s|$))+", ""),  # before the first word,
        replace(r"(?:\s+\|)+\s*$", ""),  # after the last,
        replace(r"(?:\s+\|(?=\s))+", " |"),  # and more than one between two
    ]
    tokenizer = word_level_tokenizer(
        tokens,
        special=SPECIAL,
        before=["<bos>", "<src>"],
        after=["<tgt>"],
        normalizer={"type": "Sequence", "normalizers": bars},
        joined=True,
    )
    write_json(folder / "tokenizer.json", tokenizer)
    write_json(
        folder / "generation_config.json",
        {
            "decoder_start_token_id": SPECIAL.index("<tgt>"),
            "eos_token_id": SPECIAL.index("<eos>"),
            "pad_token_id": SPECIAL.index("<pad>"),
            "max_new_tokens": AT_MOST,
        },
    )
