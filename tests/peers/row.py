"""A row of the table while it is prepared: what seqc is called with, what is expected of it, and its peers.

Each peer is prepared by itself, and its values are held against those that are expected: one that fails, or computes
something else, is told and leaves its row to the others. One whose package is not installed has no number, and nothing
is said of it.
"""

import importlib.util
import sys
import time

import agreement


class Missing(Exception):
    """A row that can't be taken here: why."""


class Row:
    """The functions of the rows fill one in."""

    def __init__(self, folder, threads, slow):
        self.folder, self.threads, self.slow = folder, threads, slow
        self.file = None  # the model, as seqc is given it
        self.checkpoint = folder  # its weights; None where it has none
        self.more = []  # options of each call of seqc
        self.profile = []  # options of its profile alone
        self.command = None  # instead of its profile: a whole process that is timed
        self.generation = None  # instead of its profile: options of a generation, which says itself how long it took
        self.expected = None  # the values that count, of one peer
        self.rule = agreement.Within(1e-3)  # how near a peer's values have to be to them
        self.seqc = agreement.verify  # how seqc's are held against them; None where nothing is
        self.calls = {}  # a peer's name: what is timed
        self.failed = {}  # a peer's name: why it has no time

    @property
    def io(self):
        """The file with inputs and expected values."""
        return self.folder / "io.safetensors"

    def model(self):
        """What seqc is given, whatever it does."""
        weights = [] if self.checkpoint is None else ["--checkpoint", str(self.checkpoint)]
        return [self.file, *weights, *self.more]

    def arguments(self):
        """The same with inputs."""
        return [*self.model(), "--io", str(self.io)]

    def peer(self, name, prepare, package=None):
        """One more peer. `prepare` gives what is timed, which gives the values that it computed, or None."""
        if package and importlib.util.find_spec(package) is None:
            return
        start, near = time.perf_counter(), ""
        try:
            call = prepare()
            call()  # The first call may be another one: it compiles.
            found = call()
            if found is not None and self.expected is not None:
                wrong = self.rule.differs(found, self.expected)
                near = f", its values {self.rule.near}"
                if wrong:
                    raise RuntimeError(f"its values are others: {wrong}")
            self.calls[name] = call
        except Exception as problem:  # Whatever it is, the others go on.
            self.fails(name, problem)
        print(f"    {name}: prepared in {time.perf_counter() - start:.1f} s{near}", file=sys.stderr, flush=True)

    def fails(self, name, problem):
        """A peer without a time."""
        self.calls.pop(name, None)
        self.failed[name] = f"{type(problem).__name__}: {problem}"[:400]
        print(f"    {name} failed: {self.failed[name]}", file=sys.stderr, flush=True)
