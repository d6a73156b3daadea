#!/usr/bin/env python3
"""Fits tables under time limits and prints what came of it. usage: measure.py KAIZEN LATENCY SPLITS SECONDS …"""
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time


def fit(kaizen, row, splits, seconds, folder):
    """Wall clock of the whole process, what it printed, and its artifact."""
    train, test = (os.path.join(splits, f"{row['name']}.{part}.parquet") for part in ("train", "test"))
    out = os.path.join(folder, "model.kaizen")
    command = [kaizen, "fit", train, "--target", row["target"], "--task", row["task"], "--threads", "2", "--json"]
    command += ["--time-limit", f"{seconds}s", "--test", test, "--out", out]
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    wall = time.monotonic() - start
    if done.returncode != 0:
        return wall, None, done.stderr.strip().splitlines()[-1:], out
    return wall, json.loads(done.stdout), None, out


def row_time(latency, out, test):
    """p50 and p99 of one row, in microseconds, as the example prints them."""
    printed = subprocess.run([latency, out, test], capture_output=True, text=True).stdout
    return re.findall(r"p\d\d ([\d.]+)", printed)


def main():
    kaizen, latency, splits, *limits = sys.argv[1:]
    with open(os.path.join(splits, "tasks.csv")) as file:
        tables = list(csv.DictReader(file))
    print("| table | limit, s | process, s | first model, s | trials | metric | test rows | artifact, MB | one row p50, µs | p99, µs |")
    print("|---|---:|---:|---:|---:|---|---:|---:|---:|---:|")
    late, slow, large, failed = 0, 0, 0, 0
    for row in tables:
        for seconds in map(float, limits):
            with tempfile.TemporaryDirectory() as folder:
                wall, result, error, out = fit(kaizen, row, splits, f"{seconds:g}", folder)
                late += wall > 1.05 * seconds + 1
                if result is None:
                    failed += 1
                    print(f"| {row['name']} | {seconds:g} | {wall:.2f} | failed: {error} | | | | | | |")
                    continue
                p50, p99 = row_time(latency, out, os.path.join(splits, f"{row['name']}.test.parquet"))
                megabytes = os.path.getsize(out) / 1e6
            slow += float(p50) > 100
            large += megabytes > 20
            judged = result["unseen"]["value"]
            print(
                f"| {row['name']} | {seconds:g} | {wall:.2f} | {result['first_model_seconds']:.2f} | {result['trials']} | "
                f"{result['metric']} | {judged:.5g} | {megabytes:.1f} | {p50} | {p99} |",
                flush=True,
            )
    print()
    print(
        f"{len(tables) * len(limits)} runs: {failed} failed, {late} later than 5 % and 1 s, "
        f"{slow} slower than 100 µs a row, {large} larger than 20 MB."
    )


if __name__ == "__main__":
    main()
