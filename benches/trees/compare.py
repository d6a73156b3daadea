"""Trains Kaizen's tree engine and LightGBM side by side on the same data and prints one table.

One command:  python benches/trees/compare.py [--repeats 3] [--threads 2]

Needs `cargo` and a Python with lightgbm==4.7.0, numpy and scikit-learn. Data are made here from a fixed seed: 100,000 x 50
binary and 20,000 x 20 regression, a quarter as many test rows. Both engines: 200 rounds, 31 leaves, 255 bins, rate 0.1.
Runs are interleaved and medians are shown with the range; the time of making bins is included on both sides.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]

PEER = """
import json, resource, sys, time
import lightgbm, numpy as np
folder, objective, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
x, y, fold = (np.load(f"{folder}/{name}.npy") for name in ("x", "y", "fold"))
learn = fold == 0
start = time.perf_counter()
data = lightgbm.Dataset(x[learn], y[learn], params=dict(max_bin=255, num_threads=threads, verbose=-1)).construct()
params = dict(objective=objective, num_leaves=31, learning_rate=0.1, num_threads=threads, verbose=-1)
model = lightgbm.train(params, data, 200)
seconds = time.perf_counter() - start
np.save(f"{folder}/peer.npy", model.predict(x[~learn], raw_score=True))
status = open("/proc/self/status").read()
memory = float(status.split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps(dict(seconds=seconds, memory=memory)))
"""


def make(row_count, column_count, binary):
    """Features, target and fold (1 is test) of a smooth function with interactions."""
    rng = np.random.RandomState(0)
    x = rng.randn(row_count, column_count)
    truth = sum(np.sin(x[:, j] * (1 + j % 3)) * (1 if j % 2 else -1) for j in range(10))
    truth = truth + x[:, 0] * x[:, 1] + 0.5 * x[:, 2] * x[:, 3] + 0.3 * x[:, 4] ** 2
    if binary:
        y = (rng.rand(row_count) < 1 / (1 + np.exp(truth.mean() - truth))).astype(float)
    else:
        y = truth + 0.5 * rng.randn(row_count)
    return x, y, (np.arange(row_count) >= row_count * 4 // 5).astype("u1")


def write(folder, x, y, fold):
    """Saves the data for both engines."""
    np.save(f"{folder}/x.npy", x)
    np.save(f"{folder}/y.npy", y)
    np.save(f"{folder}/fold.npy", fold)
    with open(f"{folder}/table.bin", "wb") as out:
        out.write(struct.pack("<II", *x.shape) + struct.pack("<BI", 0, 0) * x.shape[1])
        for column in range(x.shape[1]):
            out.write(x[:, column].astype("<f8").tobytes())
        out.write(y.astype("<f8").tobytes() + fold.tobytes())


def timed(command):
    """Standard output and processor seconds of a command."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return text, usage.ru_utime + usage.ru_stime


def error(y, raw, binary):
    """1 - ROC AUC, or root mean squared error."""
    if binary:
        from sklearn.metrics import roc_auc_score

        return 1 - roc_auc_score(y, raw)
    return float(np.sqrt(np.mean((y - raw) ** 2)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    subprocess.run(["cargo", "build", "--release", "-p", "kaizen-trees", "--example", "time"], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    engine = target / "release/examples/time"
    print(f"{'task':26} {'engine':10} {'seconds (range)':>24} {'cpu s':>7} {'peak MB':>8} {'test error':>11}")
    for name, rows, columns, binary in (("binary 100,000 x 50", 125_000, 50, True), ("regression 20,000 x 20", 25_000, 20, False)):
        with tempfile.TemporaryDirectory() as folder:
            x, y, fold = make(rows, columns, binary)
            write(folder, x, y, fold)
            runs = {"kaizen": [], "lightgbm": []}
            for _ in range(options.repeats):
                objective = "logistic" if binary else "squared"
                command = [engine, f"{folder}/table.bin", objective, "leaf", "1", f"{folder}/ours.bin", "rounds=200"]
                text, cpu = timed(command + [f"threads={options.threads}"])
                words = text.split()
                seconds = float(words[1]) + float(words[3])
                runs["kaizen"].append((seconds, cpu, float(words[-1])))
                objective = "binary" if binary else "regression"
                text, cpu = timed([sys.executable, "-c", PEER, folder, objective, str(options.threads)])
                peer = json.loads(text)
                runs["lightgbm"].append((peer["seconds"], cpu, peer["memory"]))
            scores = {
                "kaizen": error(y[fold == 1], np.fromfile(f"{folder}/ours.bin", "<f8"), binary),
                "lightgbm": error(y[fold == 1], np.load(f"{folder}/peer.npy"), binary),
            }
            for engine_name, values in runs.items():
                seconds, cpu, memory = zip(*values)
                spread = f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
                print(
                    f"{name:26} {engine_name:10} {spread:>24} {statistics.median(cpu):7.2f} "
                    f"{statistics.median(memory):8.0f} {scores[engine_name]:11.5f}"
                )
            ratios = [ours[0] / peer[0] for ours, peer in zip(*runs.values())]
            print(f"{name:26} ratio of seconds, median of pairs: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
