"""Times peers in this process and seqc in processes of its own, in turns, so that both see the same machine.

Two times are taken of each run: what a clock on the wall says, and how much of the processor's time the process had.
On one thread they are the same if nothing else runs, and the second is hardly touched if something does: it is the
one that counts. On several threads the shortest run on the wall counts, as waiting threads may spin, and for
generations on one thread too, of which seqc tells no other time. Whole processes count on the wall, each the median of
its runs.
"""

import json
import os
import statistics
import subprocess
import time

SEQC = os.environ.get("SEQC", "target/release/seqc")


def turns(call, seconds, most=200):
    """Runs something again and again; gives each run's seconds on the wall and of the processor. What runs in a process
    of its own may time itself."""
    if hasattr(call, "turns"):
        return call.turns(seconds, most)
    wall, processor = [], []
    end = time.perf_counter() + seconds
    while len(wall) < 3 or (time.perf_counter() < end and len(wall) < most):
        before = time.process_time()
        start = time.perf_counter()
        call()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - before)
    return wall, processor


def profile(arguments, threads, repeat):
    """The same of seqc, with what its profile says."""
    command = [SEQC, "profile", *arguments, "--threads", str(threads), "--repeat", str(repeat), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-400:]}")
    found = json.loads(done.stdout)
    return found["seconds"]["all"], found["processor_seconds"]["all"], found


def generations(arguments, threads, seconds):
    """What seqc says that its generations took, from the first token that it read to the last that it wrote, each in a
    process of its own."""
    command, wall = [SEQC, "generate", *arguments, "--threads", str(threads), "--json"], []
    end = time.perf_counter() + seconds
    while len(wall) < 3 or time.perf_counter() < end:
        speed = json.loads(process(command))["speed"]
        wall.append(speed["prompt_seconds"] + speed["seconds"])
    return wall


def process(command, environment=None):
    """A whole process, which has to come to its end well; gives what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()[-400:]}")
    return done.stdout


def chosen(wall, processor, threads, whole=False):
    """The time that counts, in milliseconds."""
    if whole:
        return 1e3 * statistics.median(wall)
    return 1e3 * (statistics.median(processor) if threads == 1 and processor else min(wall))
