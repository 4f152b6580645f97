"""How values are held against each other: a peer's against those that are expected, and seqc's.

seqc's are those of whole sequences, by `seqc verify` or by what `seqc run` saves; where a row times one position more,
those of the program for one position as well, which gets the sequence through a pipe.

Numbers in 32 bits have to be the same but for the order of sums. Where weights have fewer bits each program rounds in
its own way, so that numbers differ in their second digit: then what counts is the direction of all of them together
(the cosine), and that the largest is the same one, as that is the token which is written.
"""

import json
import subprocess
import sys

import numpy

from timing import SEQC


def numbers(values):
    """Any library's tensor, as NumPy's."""
    if hasattr(values, "detach"):
        values = values.detach()
    return numpy.asarray(values)


class Within:
    """No number further off than so much, or so much of itself where it is larger than 1."""

    near = "not compared: their shapes differ"

    def __init__(self, tolerance):
        self.tolerance = tolerance

    def differs(self, found, expected):
        """What is wrong; None if nothing is. How near they are is kept, to be told."""
        found, expected = numbers(found), numbers(expected)
        if found.shape != expected.shape:
            return f"a shape of {list(found.shape)} instead of {list(expected.shape)}"
        far = float((numpy.abs(found - expected) / numpy.maximum(1, numpy.abs(expected))).max())
        self.near = f"{far:.1g} apart"
        return None if far <= self.tolerance else f"{far:.3g} apart, {self.tolerance} are allowed"


class Alike:
    """The last of all vectors points the same way, and its largest number is the same one if `top` says so."""

    near = "not compared: their shapes differ"

    def __init__(self, cosine, top=True):
        self.cosine, self.top = cosine, top

    def differs(self, found, expected):
        """The same."""
        found, expected = (numbers(one).reshape(-1, one.shape[-1])[-1].astype(float) for one in (found, expected))
        if found.shape != expected.shape:
            return f"{len(found)} numbers instead of {len(expected)}"
        cosine = found @ expected / numpy.sqrt((found @ found) * (expected @ expected))
        self.near = f"a cosine of {cosine:.5f}" + ", another largest" * bool(found.argmax() != expected.argmax())
        if not cosine >= self.cosine:
            return f"a cosine of {cosine:.5f}, {self.cosine} is needed"
        if self.top and found.argmax() != expected.argmax():
            return f"the largest is {found.argmax()} and not {expected.argmax()} (the cosine is {cosine:.5f})"
        return None


def called(command):
    """What a call of seqc says if it fails; None else."""
    done = subprocess.run(command, capture_output=True, text=True)
    return None if done.returncode == 0 else (done.stdout + done.stderr).strip()[-300:]


def verify(row, tolerance=None):
    """Has seqc itself compare its values with a peer's; says what it said where they differ."""
    if row.checkpoint is None:
        return saved(row)
    tolerance = row.rule.tolerance if tolerance is None else tolerance
    return called([SEQC, "verify", *row.arguments(), "--tolerance", str(tolerance)])


def saved(row):
    """Compares what seqc writes: of models without weights, or roughly."""
    from safetensors.numpy import load_file

    beside = row.folder / "saved.safetensors"
    failed = called([SEQC, "run", *row.arguments(), "--save", str(beside)])
    if failed:
        return failed
    wanted, found = load_file(row.io), load_file(beside)
    for name in (name for name in wanted if name.startswith("out.")):
        wrong = row.rule.differs(found[name], wanted[name])
        if wrong:
            return f"{name}: {wrong}"
        print(f"    seqc's {name[4:]}: {row.rule.near}", file=sys.stderr, flush=True)
    return None


def and_step(whole):
    """Compares whole sequences in one of these ways, then one token more after them, which is the last once more."""

    def compare(row):
        return whole(row) or step(row)

    return compare


def step(row):
    """Gives seqc a row of tokens and then one, and compares what it makes of that one."""
    from safetensors.numpy import load_file

    tokens = load_file(row.io)["in.tokens"][0].tolist()
    lines = "".join(json.dumps({"tokens": part}) + "\n" for part in (tokens, tokens[-1:]))
    command = [SEQC, "run", *row.model(), "--stream"]
    done = subprocess.run(command, input=lines, capture_output=True, text=True)
    positions = done.stdout.splitlines()
    if done.returncode != 0 or len(positions) != len(tokens) + 1:
        return f"{len(positions)} positions of {len(tokens) + 1}: {done.stderr.strip()[-300:]}"
    (name, found), *_ = json.loads(positions[-1]).items()
    wrong = row.rule.differs(numpy.array(found).reshape(row.expected.shape), row.expected)
    if wrong:
        return f"{name} of one token more: {wrong}"
    print(f"    seqc's {name} of one token more: {row.rule.near}", file=sys.stderr, flush=True)
    return None
