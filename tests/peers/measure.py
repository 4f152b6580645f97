"""Takes one row on so many threads, in a process of its own, and writes what it found as JSON.

Of its own, because some libraries choose their threads when they are loaded, because their threads spin for a while
after each call, and because a library that takes the process down then takes no other row with it. compare.py starts
it, once for each row and number of threads.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import timing


def seqc(row, seconds, shortest):
    """Runs of seqc, about as long as its fastest peer's, and its largest kernel."""
    if row.command:
        return *timing.turns(lambda: timing.process(row.command), seconds), None
    if row.generation:
        return timing.generations([*row.model(), *row.generation], row.threads, seconds), [], None
    repeat = max(3, min(200, round(seconds / shortest))) if shortest else 20
    wall, processor, told = timing.profile([*row.arguments(), *row.profile], row.threads, repeat)
    slowest = max(told["kernels"], key=lambda kernel: kernel["seconds"])
    parts = ("kind", "seconds", "of_the_limit", "bound")
    return wall, processor, [*(slowest[part] for part in parts), slowest["equations"][:3]]


def measure(row, seconds, rounds):
    """The time of each peer and of seqc, why seqc's values are not the expected ones, and its largest kernel."""
    found = {"differs": None}
    try:
        if row.seqc and row.expected is not None:
            found["differs"] = row.seqc(row)
    except Exception as problem:  # The peers' numbers stand without seqc's.
        found["differs"] = str(problem)
    whole, on_the_wall = row.command is not None, row.generation is not None
    times = {name: ([], []) for name in ["seqc", *row.calls]}
    for _ in range(rounds):
        shortest = None
        for name, call in list(row.calls.items()):
            try:
                wall, processor = timing.turns(call, seconds)
                processor = [] if on_the_wall else processor
            except Exception as problem:
                row.fails(name, problem)
                continue
            times[name][0].extend(wall)
            times[name][1].extend(processor)
            shortest = min(wall) if shortest is None else min(shortest, *wall)
        try:
            wall, processor, told = seqc(row, seconds, shortest)
        except Exception as problem:
            found["differs"] = found["differs"] or str(problem)
            continue
        times["seqc"][0].extend(wall)
        times["seqc"][1].extend(processor)
        found["largest"] = told
    taken = {name: pair for name, pair in times.items() if pair[0] and name not in row.failed}
    found["times"] = {name: timing.chosen(*pair, row.threads, whole) for name, pair in taken.items()}
    found["failed"] = row.failed
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("result", type=pathlib.Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--slow", action="store_true")
    options = parser.parse_args()
    # JAX asks the first of these, once; OpenMP the second.
    os.environ["PJRT_NPROC"] = os.environ["OMP_NUM_THREADS"] = str(options.threads)
    os.environ["TQDM_DISABLE"] = "1"  # No bars among the lines.
    warnings.simplefilter("ignore")  # Libraries announce what they will drop; the versions here are fixed.
    import torch

    import rows
    from row import Missing, Row

    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        row = Row(pathlib.Path(folder), options.threads, options.slow)
        try:
            rows.fill(row, options.name)
            found = measure(row, options.seconds, options.rounds)
        except Missing as why:
            found = {"missing": str(why)}
    options.result.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
