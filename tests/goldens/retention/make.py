"""Retention (RetNet: Sun et al. 2023) without its rotary positions, in the parallel form and float64: every position a sum over
all earlier ones, which the recurrence must equal."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy
from save import save

random = numpy.random.default_rng(12)
dim, heads, length = 18, 3, 23
weights = {f"{name}_proj.weight": random.normal(0, 0.2, (dim, dim)).astype(numpy.float32) for name in ["q", "k", "v", "out"]}
x = random.normal(0, 1, (2, length, dim)).astype(numpy.float32)


def projected(name):
    made = x.astype(numpy.float64) @ weights[f"{name}_proj.weight"].astype(numpy.float64).T
    return made.reshape(2, length, heads, dim // heads)


q, k, v = projected("q"), projected("k"), projected("v")
decay = 1 - 2.0 ** (-5 - numpy.arange(heads))
apart = numpy.arange(length)[:, None] - numpy.arange(length)[None, :]
fading = numpy.where(apart >= 0, decay[:, None, None] ** numpy.maximum(apart, 0), 0)
score = numpy.einsum("bihd,bjhd->bhij", q, k) / numpy.sqrt(dim // heads) * fading
mix = numpy.einsum("bhij,bjhe->bihe", score, v).reshape(2, length, dim)
y = mix @ weights["out_proj.weight"].astype(numpy.float64).T
config = {
    "equation": "y[i] = W sum over j <= i (g^(i - j) (q[i] . k[j]) / sqrt(d) v[j]), g = 1 - 2^(-5 - head)",
    "embed_dim": dim,
    "num_heads": heads,
}
save(Path(__file__).parent, config, weights, {"x": x}, {"y": y})
