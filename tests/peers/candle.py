"""candle as a peer: the program in the folder candle/, which run.sh builds where there is cargo.

It has the row's weights and inputs from the files that seqc has, and times itself, as it is another process: it is
asked to run so long, and says how long each run took.
"""

import json
import os
import pathlib
import re
import subprocess

PROGRAM = os.environ.get("CANDLE_PEER", "")


class Candle:
    """A model loaded in candle, waiting for requests."""

    def __init__(self, row, model):
        self.file = row.folder / "candle.safetensors"
        command = [PROGRAM, model, str(row.checkpoint), str(row.io)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=environment(row.threads), **pipes)

    def ask(self, request):
        """Its answer, which is empty if it came to its end."""
        try:
            print(request, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"candle's program ended with {self.process.wait()}: what it said stands above")
        return json.loads(answer)

    def __call__(self):
        """The values of one run."""
        from safetensors.numpy import load_file

        self.ask(f"values {self.file}")
        return load_file(self.file)["values"]

    def turns(self, seconds, most):
        """The seconds of each run, as timing.turns has them."""
        told = self.ask(f"run {seconds} {most}")
        return told["wall"], told["processor"]


def version():
    """Which candle the program is built with; None where it is not built."""
    if not PROGRAM:
        return None
    lock = pathlib.Path(__file__).with_name("candle") / "Cargo.lock"
    return re.search('name = "candle-core"\nversion = "(.*)"', lock.read_text())[1]


def environment(threads):
    """This process's, with so many threads."""
    return {**os.environ, "RAYON_NUM_THREADS": str(threads)}


def peer(row, model):
    """candle as a peer of a row, by the program's own name of the model; nothing where it is not built."""
    if PROGRAM:
        row.peer("candle", lambda: Candle(row, model))
