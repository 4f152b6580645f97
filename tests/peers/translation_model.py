"""The Transformer of 2017 in its base size, by PyTorch's module, with weights at random and 37,000 words as it had, and
how a translation is written with it as it is: PyTorch's nn.Transformer keeps no keys and values, so that all positions
are computed anew for each token.

Weights at random do not make tokens that can be compared: with those that modules are made with, whatever is read ends
in one token that repeats itself. So what is added to a position in each half layer is made small, as in models that are
deep: then tokens differ.
"""

import torch

WIDTH, HEADS, LAYERS, INNER, VOCABULARY = 512, 8, 6, 2048, 37000
START = 0


class Translation(torch.nn.Module):
    """The model of examples/transformer_translation.seq, with PyTorch's module."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY, WIDTH)
        self.transformer = torch.nn.Transformer(WIDTH, HEADS, LAYERS, LAYERS, INNER, batch_first=True)
        self.generator = torch.nn.Linear(WIDTH, VOCABULARY)

    def embed(self, tokens):
        """Tokens with their places."""
        return self.embedding(tokens) * WIDTH**0.5 + waves(tokens.shape[1])

    def forward(self, source, target):
        """The numbers for the token after each of `target`."""
        return self.write(target, self.transformer.encoder(self.embed(source)))

    def write(self, target, memory):
        """The same of what was read."""
        later = torch.nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        decoder = self.transformer.decoder
        return self.generator(decoder(self.embed(target), memory, tgt_mask=later, tgt_is_causal=True))


def waves(length):
    """Sines at even places of a vector, cosines at odd ones."""
    even = torch.arange(0, WIDTH, 2)
    angles = torch.arange(length)[:, None] * 10000 ** (-even / WIDTH)
    return torch.stack([angles.sin(), angles.cos()], -1).reshape(length, WIDTH)


def model():
    """The model with weights at random."""
    torch.manual_seed(2)
    made = Translation().eval()
    with torch.no_grad():
        made.embedding.weight *= WIDTH**-0.5
        for name, weight in made.named_parameters():
            if name.endswith(("out_proj.weight", "linear2.weight")):
                weight *= (3 * LAYERS) ** -0.5
    return made


def plain(made, source, length):
    """All that is written, nothing kept but what was read."""
    memory = made.transformer.encoder(made.embed(source))
    target = torch.full((1, 1), START)
    for _ in range(length):
        target = torch.cat([target, made.write(target, memory)[:, -1:].argmax(-1)], 1)
    return target
