"""Times peers in this process and seqc in processes of its own, in turns, so that both see the same machine.

Two times are taken of each run: what a clock on the wall says, and how much of the processor's time the process had. On one
thread they are the same if nothing else runs, and the second is hardly touched if something does: it is the one that counts.
On several threads the shortest run on the wall counts, as waiting threads may spin.
"""

import json
import os
import statistics
import subprocess
import time

SEQC = os.environ.get("SEQC", "target/release/seqc")


def turns(call, seconds, most=200):
    """Runs something again and again; gives each run's seconds on the wall and of the processor."""
    wall, processor = [], []
    end = time.perf_counter() + seconds
    while len(wall) < 3 or (time.perf_counter() < end and len(wall) < most):
        start, before = time.perf_counter(), time.process_time()
        call()
        processor.append(time.process_time() - before)
        wall.append(time.perf_counter() - start)
    return wall, processor


def profile(arguments, threads, repeat):
    """The same of seqc, with what its profile says."""
    command = [SEQC, "profile", *arguments, "--threads", str(threads), "--repeat", str(repeat), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-400:]}")
    found = json.loads(done.stdout)
    return found["seconds"]["all"], found["processor_seconds"]["all"], found


def process(command):
    """A whole process: its seconds on the wall."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    elapsed = time.perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-400:]}")
    return elapsed


def chosen(wall, processor, threads):
    """The time that counts, in milliseconds."""
    return 1e3 * (statistics.median(processor) if threads == 1 and processor else min(wall))


def agrees(file, checkpoint, io, tolerance, more=()):
    """Has seqc compare its values with a peer's; says what it said where they differ."""
    command = [SEQC, "verify", file, "--checkpoint", checkpoint, "--io", io, "--tolerance", str(tolerance), *more]
    done = subprocess.run(command, capture_output=True, text=True)
    return None if done.returncode == 0 else (done.stdout + done.stderr).strip()[-300:]


def same_without_weights(file, io, tolerance, more=()):
    """The same for a model without weights, which has no checkpoint to be verified with."""
    import pathlib

    import numpy
    from safetensors.numpy import load_file

    saved = str(pathlib.Path(io).with_name("saved.safetensors"))
    command = [SEQC, "run", file, "--io", io, "--save", saved, *more]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return done.stderr.strip()[-300:]
    wanted, found = load_file(io), load_file(saved)
    for name in (name for name in wanted if name.startswith("out.")):
        far = float(numpy.abs(wanted[name] - found[name]).max())
        if not far <= tolerance:
            return f"{name} differs by {far}"
    return None
