"""Cells of one's own in JAX, compiled by its `jit`: a recurrence by `lax.scan`, and one that is affine in its state by
`lax.associative_scan`, which computes all positions at once.

Weights are arguments, as they are in training code. JAX is told its threads when the process starts (measure.py).
"""

import jax
import jax.numpy as jnp
from jax import lax


def call(function, module, x):
    """What is timed: the compiled function on PyTorch's weights and input, until its result is there."""
    weights = {name: jnp.asarray(value.detach().numpy()) for name, value in module.state_dict().items()}
    given = jnp.asarray(x.numpy())
    compiled = jax.jit(function)
    return lambda: compiled(weights, given).block_until_ready()


def norm(weights, name, x):
    """A layer norm."""
    centred = x - x.mean(-1, keepdims=True)
    spread = lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-5)
    return centred * spread * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def peephole(weights, x):
    """The LayerNorm-LSTM. Its four products of a step are one, as are those of all positions before."""
    gates = ("input", "forget", "output", "candidate")
    all_x = jnp.concatenate([weights[f"{gate}_x.weight"] for gate in gates])
    all_h = jnp.concatenate([weights[f"{gate}_h.weight"] for gate in gates])
    bias = jnp.concatenate([weights[f"{gate}_x.bias"] for gate in gates])
    peephole = {gate: weights[f"{gate}_peephole"] for gate in gates[:3]}

    def step(state, now):
        h, c = state
        sums = dict(zip(gates, jnp.split(now + h @ all_h.T, 4, axis=-1)))
        i = jax.nn.sigmoid(norm(weights, "input_norm", sums["input"]) + peephole["input"] * c)
        f = jax.nn.sigmoid(norm(weights, "forget_norm", sums["forget"]) + peephole["forget"] * c)
        c = f * c + i * jnp.tanh(norm(weights, "candidate_norm", sums["candidate"]))
        o = jax.nn.sigmoid(norm(weights, "output_norm", sums["output"]) + peephole["output"] * c)
        h = o * jnp.tanh(norm(weights, "cell_norm", c))
        return (h, c), h

    nothing = jnp.zeros((x.shape[0], x.shape[2]))
    along = (x @ all_x.T + bias).swapaxes(0, 1)
    return lax.scan(step, (nothing, nothing), along)[1].swapaxes(0, 1)


def min_gru(weights, x):
    """The minGRU: h = keep * h + add at each position, for all of them at once."""
    update = jax.nn.sigmoid(x @ weights["update.weight"].T + weights["update.bias"])
    candidate = x @ weights["candidate.weight"].T + weights["candidate.bias"]

    def both(before, after):
        return after[0] * before[0], after[0] * before[1] + after[1]

    return lax.associative_scan(both, (1 - update, update * candidate), axis=1)[1]
