"""Writes the files of a checkpoint folder: model.safetensors and tokenizer.json. Python's standard library only.

write_safetensors: tensors as (name, dtype, shape, bytes) -> an 8-byte length, a JSON header, and the bytes as they are.
word_level_tokenizer: a list of tokens and how a text is cut -> what `tokenizer.json` holds for a vocabulary in which each
piece of the text is looked up whole (letters, phonemes, atoms), as Hugging Face's tokenizers library reads it.

The conversions beside this file (convert_*.py) use both. Nothing here changes a number.
"""

import json
import math

SIZES = {"F64": 8, "F32": 4, "F16": 2, "I64": 8}


def write_safetensors(path, tensors):
    """Writes tensors, given as (name, dtype, shape, little-endian bytes), in the order given."""
    header, offset = {}, 0
    for name, dtype, shape, data in tensors:
        assert len(data) == SIZES[dtype] * math.prod(shape), f"{name} has {len(data)} bytes for {dtype} {list(shape)}"
        assert name not in header, f"two tensors are called {name}"
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the numbers begin at a multiple of eight
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for _, _, _, data in tensors:
            file.write(data)


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")


def word_level_tokenizer(tokens, special, unknown="<unk>", pieces=None, before=(), after=(), normalizer=None, joined=False):
    """What tokenizer.json holds for the vocabulary `tokens`, each token's id its place in it.

    `pieces` is a regular expression, each match of which is one token; without it a text is cut at its blanks. `before`
    and `after` are put around each text. `special` tokens are left out when ids become a text again, in which tokens
    stand with blanks between them, or `joined`.
    """
    ids = {token: place for place, token in enumerate(tokens)}
    assert len(ids) == len(tokens), "a token stands twice in the vocabulary"
    added = [
        {"id": ids[token], "content": token, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True}
        for token in special
    ]
    around = lambda token: {"SpecialToken": {"id": token, "type_id": 0}}
    text = lambda which: {"Sequence": {"id": which, "type_id": 0}}
    cut = {"type": "WhitespaceSplit"}
    if pieces:
        cut = {"type": "Split", "pattern": {"Regex": pieces}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": cut,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [*map(around, before), text("A"), *map(around, after)],
            "pair": [*map(around, before), text("A"), text("B"), *map(around, after)],
            "special_tokens": {
                token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in (*before, *after)
            },
        },
        "decoder": {"type": "Fuse"} if joined else None,
        "model": {"type": "WordLevel", "vocab": ids, "unk_token": unknown},
    }
