"""A translation in CTranslate2, the library that is made for it.

Its converters know the models of other libraries, but not PyTorch's own module, so the weights are put into its
description of a Transformer here. It takes words: they are called by their numbers, but for the three that it asks for.
The end of a sentence is forbidden until all tokens are written.
"""

import torch

from translation_model import HEADS, LAYERS, START, VOCABULARY, waves

NAMES = {START: "<s>", 1: "</s>", 2: "<unk>"}
LONGEST = 512


def attention(spec, module, itself):
    """Queries, keys and values are one product, or two where they come from different sequences."""
    parts = module.in_proj_weight.chunk(3), module.in_proj_bias.chunk(3)
    groups = [[0, 1, 2]] if itself else [[0], [1, 2]]
    for product, group in zip(spec.linear, groups):
        product.weight, product.bias = (torch.cat([part[one] for one in group]).numpy() for part in parts)
    linear(spec.linear[-1], module.out_proj)


def linear(spec, module):
    """A product."""
    spec.weight, spec.bias = module.weight.numpy(), module.bias.numpy()


def norm(spec, module):
    """A layer norm."""
    spec.gamma, spec.beta = module.weight.numpy(), module.bias.numpy()


def half(spec, layers, final):
    """The encoder or the decoder. Each norm stands after what it follows, and there is one more at the end."""
    spec.pre_norm = False  # What is made for norms in front has that one.
    spec.position_encodings.encodings = waves(LONGEST).numpy()
    norm(spec.layer_norm, final)
    for own, layer in zip(spec.layer, layers):
        attention(own.self_attention, layer.self_attn, True)
        norms = [own.self_attention.layer_norm]
        if hasattr(layer, "multihead_attn"):
            attention(own.attention, layer.multihead_attn, False)
            norms.append(own.attention.layer_norm)
        linear(own.ffn.linear_0, layer.linear1)
        linear(own.ffn.linear_1, layer.linear2)
        for number, one in enumerate([*norms, own.ffn.layer_norm], 1):
            norm(one, getattr(layer, f"norm{number}"))


def convert(made, folder):
    """Writes the model as CTranslate2 reads it."""
    from ctranslate2.specs import TransformerSpec

    spec = TransformerSpec.from_config(LAYERS, HEADS)
    half(spec.encoder, made.transformer.encoder.layers, made.transformer.encoder.norm)
    half(spec.decoder, made.transformer.decoder.layers, made.transformer.decoder.norm)
    spec.encoder.embeddings[0].weight = spec.decoder.embeddings.weight = made.embedding.weight.numpy()
    linear(spec.decoder.projection, made.generator)
    words = [NAMES.get(token, str(token)) for token in range(VOCABULARY)]
    spec.register_source_vocabulary(words)
    spec.register_target_vocabulary(words)
    spec.validate()
    folder.mkdir()
    spec.save(str(folder))
    return words


def call(row, made, source, length):
    """What is timed."""
    import ctranslate2

    folder = row.folder / "ctranslate2"
    with torch.no_grad():
        words = convert(made, folder)
    sizes = {"inter_threads": 1, "intra_threads": row.threads, "compute_type": "float32"}
    translator = ctranslate2.Translator(str(folder), device="cpu", **sizes)
    numbers = {word: number for number, word in enumerate(words)}
    given = [[words[token] for token in source[0].tolist()]]
    options = {"beam_size": 1, "min_decoding_length": length, "max_decoding_length": length}

    def translate():
        found = translator.translate_batch(given, **options)[0].hypotheses[0]
        return [[START, *(numbers[word] for word in found)]]

    return translate
