"""xLSTM's sLSTM (Beck et al. 2024, equations 8 to 17, sigmoid forget gate), written out in float64 without its stabiliser: the
numbers are small enough here, and what the stabiliser changes is nothing."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy
from save import save

random = numpy.random.default_rng(11)
inputs, size = 7, 10
weights = {}
for gate in ["input", "forget", "output", "candidate"]:
    weights[f"{gate}.weight"] = random.normal(0, 0.5, (size, inputs)).astype(numpy.float32)
    weights[f"{gate}.recurrent"] = random.normal(0, 0.4, (size, size)).astype(numpy.float32)
    weights[f"{gate}.bias"] = random.normal(0, 0.5, size).astype(numpy.float32)
x = random.normal(0, 1, (3, 15, inputs)).astype(numpy.float32)


def sigmoid(number):
    return 1 / (1 + numpy.exp(-number))


h = c = n = numpy.zeros((3, size))
y = []
for t in range(x.shape[1]):
    gates = {}
    for gate in ["input", "forget", "output", "candidate"]:
        w, r, b = (weights[f"{gate}.{part}"].astype(numpy.float64) for part in ["weight", "recurrent", "bias"])
        gates[gate] = x[:, t].astype(numpy.float64) @ w.T + h @ r.T + b
    i, f = numpy.exp(gates["input"]), sigmoid(gates["forget"])
    c = f * c + i * numpy.tanh(gates["candidate"])
    n = f * n + i
    h = sigmoid(gates["output"]) * c / n
    y.append(h)
config = {
    "equation": "i = exp(Wx + Rh' + b), f = sigma(..), o = sigma(..), z = tanh(..); c = f c' + i z, n = f n' + i, h = o c / n",
    "input_size": inputs,
    "hidden_size": size,
}
save(Path(__file__).parent, config, weights, {"x": x}, {"y": numpy.stack(y, 1), "h_n": h})
