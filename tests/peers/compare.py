"""Runs the rows, in turns with seqc, and prints one table: milliseconds, and how many times faster than the best peer seqc is.

A peer that can't do a row has no number in it. Where seqc's values are not the peer's (`seqc verify`), the row says so and has
no ratio. See timing.py for what is timed.
"""

import argparse
import datetime
import importlib.metadata
import json
import pathlib
import platform
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import torch

import recurrent
import timing
import transformers_rows as transformers_

ROWS = {}
for cell in ("LSTM", "GRU", "RNN"):
    for sequences, length, width in ((1, 128, 256), (1, 512, 1024), (32, 128, 512)):
        ROWS[f"{cell} {sequences} x {length} x {width}"] = (
            lambda folder, threads, c=cell, s=sequences, l=length, w=width: recurrent.row(folder, c, s, l, w, threads)
        )
ROWS["LSTM one step, width 256"] = lambda folder, threads: recurrent.row(folder, "LSTM", 1, 1, 256, threads)
ROWS["LSTM one step, width 1024"] = lambda folder, threads: recurrent.row(folder, "LSTM", 1, 1, 1024, threads)
for sequences, length, width in ((1, 128, 256), (32, 128, 512)):
    ROWS[f"LayerNorm-LSTM {sequences} x {length} x {width}"] = (
        lambda folder, threads, s=sequences, l=length, w=width: recurrent.peephole_row(folder, s, l, w, threads)
    )
for length in (128, 512, 2048):
    ROWS[f"attention 12 x 64, length {length}"] = lambda folder, threads, l=length: transformers_.attention(folder, l)
for sequences, length in ((1, 16), (1, 128), (32, 128)):
    ROWS[f"MiniLM-L6 {sequences} x {length}"] = (
        lambda folder, threads, s=sequences, l=length: transformers_.minilm(folder, s, l)
    )
ROWS["ViT-B/16, 1 image"] = lambda folder, threads: transformers_.vit(folder, 1)
ROWS["GPT-2 124M, prompt of 128"] = lambda folder, threads: transformers_.gpt2(folder, 128, False)
ROWS["GPT-2 124M, one token at 128"] = lambda folder, threads: transformers_.gpt2(folder, 128, True)


def measure(make, threads, seconds, rounds):
    """One row on so many threads: the time of each peer and of seqc, and why there is none."""
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        row = make(folder, threads)
        if row is None:
            return {}, "its weights are not there: scripts/fetch-models.sh", {}
        checkpoint = str(row.get("checkpoint", folder))
        io = str(folder / "io.safetensors")
        more = row.get("more", [])
        given = [] if row.get("no_checkpoint") else ["--checkpoint", checkpoint]
        differs = None
        if given:
            differs = timing.agrees(row["file"], checkpoint, io, 1e-3, more)
        else:
            differs = timing.same_without_weights(row["file"], io, 1e-3, more)
        arguments = [row["file"], *given, "--io", io, *more, *row.get("profile", [])]
        times = {peer: ([], []) for peer in [*row["peers"], "seqc"]}
        for call in row["peers"].values():
            call()
        for _ in range(rounds):
            shortest = float("inf")
            for peer, call in row["peers"].items():
                wall, processor = timing.turns(call, seconds)
                times[peer][0].extend(wall)
                times[peer][1].extend(processor)
                shortest = min(shortest, min(wall))
            repeat = max(3, min(200, round(seconds / shortest)))
            wall, processor, found = timing.profile(arguments, threads, repeat)
            times["seqc"][0].extend(wall)
            times["seqc"][1].extend(processor)
            slowest = max(found["kernels"], key=lambda kernel: kernel["seconds"])
            shown = ("kind", "seconds", "of_the_limit", "bound")
            largest = [*(slowest[part] for part in shown), slowest["equations"][:3]]
        return {peer: timing.chosen(*taken, threads) for peer, taken in times.items()}, differs, largest


def cell(times, peers):
    """A row's numbers on so many threads: the best peer in bold, seqc, and the ratio."""
    others = {peer: times[peer] for peer in peers if peer in times}
    best = min(others.values(), default=None)
    shown = [
        "" if peer not in others else f"**{others[peer]:.3g}**" if others[peer] == best else f"{others[peer]:.3g}"
        for peer in peers
    ]
    seqc = times.get("seqc")
    ratio = f"{best / seqc:.2f}" if best and seqc else ""
    return [*shown, f"{seqc:.3g}" if seqc else "", ratio]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default="", help="parts of names, separated by commas")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each of the rounds times a peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--markdown", type=pathlib.Path)
    options = parser.parse_args()
    wanted = [part.lower() for part in options.rows.split(",") if part]
    names = [name for name in ROWS if not wanted or any(part in name.lower() for part in wanted)]
    peers = ["PyTorch", "PyTorch scripted", "ONNX Runtime", "OpenVINO"]
    header = ["ms", "threads", *peers, "seqc", "seqc is … times as fast"]
    lines = ["| " + " | ".join(header) + " |", "| --- " * len(header) + "|"]
    print("\n".join(lines), flush=True)
    for name in names:
        for threads in map(int, options.threads.split(",")):
            try:
                times, why, slowest = measure(ROWS[name], threads, options.seconds, options.rounds)
            except Exception as problem:  # A row that fails must not lose the others.
                times, why, slowest = {}, str(problem)[:300], None
            cells = cell(times, peers)
            if why:
                cells[-1] = f"no agreement: {why}".replace("\n", " ").replace("|", "/")
            lines.append(f"| {name} | {threads} | " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
            if slowest:
                print("   ", json.dumps(slowest), file=sys.stderr, flush=True)
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("torch", "onnxruntime", "openvino", "transformers")
    )
    lines.append(f"\n{datetime.date.today()}, {platform.processor() or platform.machine()}, {versions}")
    print(lines[-1])
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
