"""Takes the rows one after the other and prints one table: milliseconds, and what seqc's are beside the best peer's.

A row's peers stand by name, the best first and in bold: which there are differs from row to row. One that can't do its
row is told as failed, and why on standard error. Where seqc's values are not those that are expected, the row says so
and has no ratio. See timing.py for what is timed, rows.py for the rows, measure.py for how one is taken.
"""

import argparse
import datetime
import importlib.metadata
import json
import pathlib
import platform
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import candle
from rows import ROWS

PACKAGES = ["torch", "onnxruntime", "openvino", "transformers", "jax", "nncf", "llama-cpp-python", "ctranslate2"]
HEADER = ["ms", "threads", "seqc", "best peer", "others", "seqc is … times as fast"]


def take(name, threads, options):
    """What measure.py finds of a row."""
    with tempfile.TemporaryDirectory() as folder:
        result = pathlib.Path(folder) / "result.json"
        command = [sys.executable, str(pathlib.Path(__file__).with_name("measure.py")), name, str(result)]
        command += ["--threads", str(threads), "--seconds", str(options.seconds), "--rounds", str(options.rounds)]
        done = subprocess.run(command + ["--slow"] * options.slow, stdout=sys.stderr)
        if not result.exists():
            return {"missing": f"failed, the process ended with {done.returncode}"}
        return json.loads(result.read_text())


def line(name, threads, found):
    """The row as it is shown."""
    times = found.get("times", {})
    seqc = times.get("seqc")
    peers = sorted((ms, peer) for peer, ms in times.items() if peer != "seqc")
    best = f"**{peers[0][1]} {peers[0][0]:.3g}**" if peers else ""
    others = [f"{peer} {ms:.3g}" for ms, peer in peers[1:]] + [f"{peer} failed" for peer in found.get("failed", {})]
    last = f"{peers[0][0] / seqc:.2f}" if peers and seqc else ""
    if found.get("differs"):
        last = f"no agreement: {found['differs']}"
    last = (found.get("missing") or last).replace("\n", " ").replace("|", "/")
    shown = [name, str(threads), f"{seqc:.3g}" if seqc else "", best, ", ".join(others), last]
    return "| " + " | ".join(shown) + " |"


def versions():
    """The packages that are installed."""
    for package in PACKAGES:
        try:
            yield f"{package} {importlib.metadata.version(package)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"no {package}"
    yield f"candle {candle.version()}" if candle.version() else "no candle"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default="", help="parts of names, separated by commas (or by semicolons)")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each of the rounds times a peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow", action="store_true", help="peers too that take minutes to be prepared")
    parser.add_argument("--markdown", type=pathlib.Path, help="a file for the table")
    parser.add_argument("--list", action="store_true", help="print the names of the rows, and nothing else")
    options = parser.parse_args()
    parts = options.rows.lower().split(";" if ";" in options.rows else ",")
    wanted = [part.strip() for part in parts if part.strip()]
    names = [name for name in ROWS if not wanted or any(part in name.lower() for part in wanted)]
    if options.list:
        print("\n".join(names))
        return
    lines = ["| " + " | ".join(HEADER) + " |", "| --- " * len(HEADER) + "|"]
    print("\n".join(lines), flush=True)
    for name in names:
        for threads in map(int, options.threads.split(",")):
            print(f"{name}, {threads} threads", file=sys.stderr, flush=True)
            found = take(name, threads, options)
            lines.append(line(name, threads, found))
            print(lines[-1], flush=True)
            if found.get("largest"):
                print("   ", json.dumps(found["largest"]), file=sys.stderr, flush=True)
    lines.append(f"\n{datetime.date.today()}, {platform.processor() or platform.machine()}, {', '.join(versions())}")
    print(lines[-1])
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
