"""A translation in steps: what was read is kept as the keys and values that each layer makes of it, and so is each
position that was written, so that a step computes one position.

Begin: the tokens that are read -> two tensors for each layer, their keys and values.
Step: a token, its place, which of the kept positions there are, the keys and values of both kinds -> the numbers for
the next token, and the position's own keys and values.

Keys and values of what is written lie in tensors of a fixed size, into which each position's are copied: nothing grows.
PyTorch as it is gets the part of them that is there already. PyTorch compiled and the engines that are given ONNX files
get all, as they are made for one size, and a mask.
"""

import numpy
import torch
import torch.nn.functional as functional

import engines
import exported
import pytorch
from translation_model import START, plain, waves


def heads(x, count):
    """[1, positions, width] as [1, heads, positions, their width]."""
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


def attend(query, keys, values, mask=None):
    """One position's attention, its heads beside each other again."""
    return functional.scaled_dot_product_attention(query, keys, values, attn_mask=mask).transpose(1, 2).flatten(2)


class Begin(torch.nn.Module):
    """Reads."""

    def __init__(self, made):
        super().__init__()
        self.made = made

    def forward(self, source):
        memory = self.made.transformer.encoder(self.made.embed(source))
        kept = []
        for layer in self.made.transformer.decoder.layers:
            reading = layer.multihead_attn
            width = reading.embed_dim
            both = functional.linear(memory, reading.in_proj_weight[width:], reading.in_proj_bias[width:])
            kept += [heads(part, reading.num_heads) for part in both.chunk(2, -1)]
        return tuple(kept)


class Step(torch.nn.Module):
    """Writes one position."""

    def __init__(self, made):
        super().__init__()
        self.made = made
        self.layers = len(made.transformer.decoder.layers)

    def forward(self, token, place, mask, *kept):
        read, written = kept[: 2 * self.layers], kept[2 * self.layers :]
        x = self.made.embedding(token) * place.shape[-1] ** 0.5 + place
        own = []
        for number, layer in enumerate(self.made.transformer.decoder.layers):
            itself, reading = layer.self_attn, layer.multihead_attn
            sums = functional.linear(x, itself.in_proj_weight, itself.in_proj_bias)
            query, key, value = (heads(part, itself.num_heads) for part in sums.chunk(3, -1))
            keys, values = (torch.cat(pair, 2) for pair in zip(written[2 * number : 2 * number + 2], (key, value)))
            x = layer.norm1(x + itself.out_proj(attend(query, keys, values, mask)))
            width = reading.embed_dim
            query = functional.linear(x, reading.in_proj_weight[:width], reading.in_proj_bias[:width])
            query = heads(query, reading.num_heads)
            x = layer.norm2(x + reading.out_proj(attend(query, *read[2 * number : 2 * number + 2])))
            x = layer.norm3(x + layer.linear2(functional.relu(layer.linear1(x))))
            own += [key, value]
        return self.made.generator(self.made.transformer.decoder.norm(x)), *own


def room(made, length):
    """Tensors for the keys and values of so many positions, zero where there is none yet."""
    layers = made.transformer.decoder.layers
    count, width = layers[0].self_attn.num_heads, layers[0].self_attn.head_dim
    return [torch.zeros(1, count, length, width) for _ in range(2 * len(layers))]


def in_torch(made, source, length, begin, step, fixed):
    """The whole in PyTorch; `fixed` gives a step all the room and a mask, else it gets what is there."""
    places, written = waves(length)[:, None, None], room(made, length)

    def call():
        target = torch.full((1, length + 1), START)
        # The last is the position itself.
        mask = torch.full((1, 1, 1, length + 1), -torch.inf) if fixed else None
        if fixed:
            mask[..., -1] = 0
        read = begin(source)
        for position in range(length):
            there = written if fixed else [one[:, :, :position] for one in written]
            logits, *own = step(target[:, position : position + 1], places[position], mask, *read, *there)
            for whole, one in zip(written, own):
                whole[:, :, position : position + 1] = one
            if fixed:
                mask[..., position] = 0
            target[:, position + 1] = logits[:, -1].argmax(-1)
        return target

    return call


def in_engine(row, made, source, length, engine, paths):
    """The whole in an engine that was given both parts as files. What is kept is copied in place, where it reads it."""
    begin, step = (engine(path, row.threads) for path in paths)
    places = waves(length)[:, None, None].numpy()
    given, written = engines.array(source), [engines.array(one) for one in room(made, length)]

    def call():
        target = numpy.full((1, length + 1), START)
        mask = numpy.full((1, 1, 1, length + 1), -numpy.inf, numpy.float32)
        mask[..., -1] = 0
        read = [numpy.array(one) for one in begin(given)]
        for position in range(length):
            token = numpy.ascontiguousarray(target[:, position : position + 1])
            logits, *own = step(token, places[position], mask, *read, *written)
            for whole, one in zip(written, own):
                whole[:, :, position : position + 1] = one
            mask[..., position] = 0
            target[:, position + 1] = logits[0, -1].argmax()
        return target

    return call


def peers(row, made, source, length):
    """nn.Transformer without steps, PyTorch as it is and compiled, ONNX Runtime and OpenVINO."""
    begin, step = Begin(made).eval(), Step(made).eval()
    paths = [row.folder / "begin.onnx", row.folder / "step.onnx"]

    def compiled():
        return in_torch(made, source, length, pytorch.compiler(begin), pytorch.compiler(step), True)

    def in_files(engine):
        if not paths[1].exists():
            with torch.no_grad():
                read = begin(source)
            mask = torch.zeros(1, 1, 1, length + 1)
            place = torch.zeros(1, 1, made.embedding.embedding_dim)
            exported.export(begin, (source,), paths[0])
            exported.export(step, (source[:, :1], place, mask, *read, *room(made, length)), paths[1])
        return in_engine(row, made, source, length, engine, paths)

    row.peer("nn.Transformer", lambda: pytorch.in_inference(plain, made, source, length))
    row.peer("PyTorch", lambda: pytorch.in_inference(in_torch(made, source, length, begin, step, False)))
    row.peer("PyTorch compiled", lambda: pytorch.without_gradients(compiled()))
    row.peer("ONNX Runtime", lambda: in_files(engines.onnx_runtime))
    row.peer("OpenVINO", lambda: in_files(engines.openvino))
