"""Turns annalog's checkpoint and vocabulary into a checkpoint folder: convert_annalog.py PACKAGE FOLDER.

In:  ckpt_and_vocab/Lev_extended.pt, a zip archive as PyTorch writes it: archive/data.pkl, a pickle that says which tensor is
     which part of which archive/data/N; and stereo_experiment_vocab_ttf.pkl, a pickle of {"itos": [...], "stoi": {...}}.
Out: model.safetensors with the same tensors, bit for bit; tokenizer.json, which cuts a SMILES string into its atoms, bonds
     and brackets with `<sos>` before and `<eos>` after; target_tokenizer.json, the same with `<sos>` alone;
     generation_config.json.

A pickle is a program, so these are not loaded: `read` takes their instructions one by one and knows only those that build
numbers, texts, tuples, lists and tables, besides the three names that a table of tensors needs. Anything else is refused.
"""

import math
import pickletools
import sys
import zipfile
from collections import namedtuple
from pathlib import Path

from checkpoint_files import word_level_tokenizer, write_json, write_safetensors

SPECIAL = ["<unk>", "<pad>", "<sos>", "<eos>"]
PIECES = r"\[[^\]]*\]|%\d{2}|Br|Cl|."
AT_MOST = 101  # tokens after `<sos>`: the model has 102 places

Name = namedtuple("Name", "text")
Storage = namedtuple("Storage", "key count")
Tensor = namedtuple("Tensor", "storage start shape strides")

MARK = object()
CONSTANTS = {"BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2"}
NAMES = {"collections OrderedDict", "torch FloatStorage", "torch._utils _rebuild_tensor_v2"}


def read(pickle):
    """The value that a pickle describes, made of plain tables, lists, tuples, texts, numbers and `Tensor`s."""
    stack, memo = [], {}

    def since_mark():
        place = len(stack) - 1 - stack[::-1].index(MARK)
        values = stack[place + 1 :]
        del stack[place:]
        return values

    for opcode, argument, place in pickletools.genops(pickle):
        name = opcode.name
        if name in ("PROTO", "FRAME"):
            pass
        elif name in CONSTANTS:
            stack.append(argument)
        elif name == "NEWFALSE":
            stack.append(False)
        elif name == "EMPTY_TUPLE":
            stack.append(())
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "MARK":
            stack.append(MARK)
        elif name == "TUPLE":
            stack.append(tuple(since_mark()))
        elif name in ("TUPLE1", "TUPLE2"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "APPENDS":
            values = since_mark()
            stack[-1].extend(values)
        elif name in ("SETITEM", "SETITEMS"):
            values = since_mark() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            stack[-1].update(zip(values[::2], values[1::2]))
        elif name == "GLOBAL" and argument in NAMES:
            stack.append(Name(argument))
        elif name == "BINPERSID":
            word, kind, key, _device, count = stack.pop()
            if (word, kind) != ("storage", Name("torch FloatStorage")):
                sys.exit(f"at {place}: {word} of {kind.text} where numbers of 32 bits were expected")
            stack.append(Storage(key, count))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            if function == Name("collections OrderedDict") and arguments == ():
                stack.append({})
            elif function == Name("torch._utils _rebuild_tensor_v2"):
                storage, start, shape, strides, _requires_grad, _hooks = arguments
                stack.append(Tensor(storage, start, shape, strides))
            else:
                sys.exit(f"at {place}: a call that is not one of a table of tensors")
        elif name == "BUILD" and set(stack[-1]) == {"_metadata"}:
            stack.pop()  # the versions of PyTorch's modules
        elif name == "STOP":
            return stack.pop()
        else:
            sys.exit(f"at {place}: the instruction {name} {argument if argument else ''} is not one of a table of tensors")


def tensors(archive):
    for name, tensor in read(archive.read("archive/data.pkl")).items():
        strides = tuple(math.prod(tensor.shape[place + 1 :]) for place in range(len(tensor.shape)))
        if tensor.strides != strides:
            sys.exit(f"the rows of {name} do not follow one another")
        data = archive.read(f"archive/data/{tensor.storage.key}")
        first, size = 4 * tensor.start, 4 * math.prod(tensor.shape)
        yield name, "F32", tensor.shape, data[first : first + size]


if __name__ == "__main__":
    package, folder = map(Path, sys.argv[1:3])
    with zipfile.ZipFile(package / "ckpt_and_vocab/Lev_extended.pt") as archive:
        write_safetensors(folder / "model.safetensors", list(tensors(archive)))
    tokens = read((package / "ckpt_and_vocab/stereo_experiment_vocab_ttf.pkl").read_bytes())["itos"]
    if tokens[: len(SPECIAL)] != SPECIAL:
        sys.exit("the vocabulary does not begin as this script expects")
    for name, after in (("tokenizer.json", ["<eos>"]), ("target_tokenizer.json", [])):
        tokenizer = word_level_tokenizer(
            tokens, special=SPECIAL, pieces=PIECES, before=["<sos>"], after=after, joined=True
        )
        write_json(folder / name, tokenizer)
    ids = {token: tokens.index(token) for token in SPECIAL}
    write_json(
        folder / "generation_config.json",
        {
            "decoder_start_token_id": ids["<sos>"],
            "eos_token_id": ids["<eos>"],
            "pad_token_id": ids["<pad>"],
            "max_new_tokens": AT_MOST,
        },
    )
