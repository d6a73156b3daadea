"""Interleaved runs of two csv readers on one file: medians, spread, memory. Called by `benches/data/run`."""

import json
import os
import statistics
import subprocess
import sys
import tempfile

POLARS = """
import json, resource, time
import polars
start = time.perf_counter()
frame = polars.read_csv({path!r}, try_parse_dates=True)
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps(dict(seconds=seconds, rows=frame.height, columns=frame.width, table_bytes=frame.estimated_size(),
                      peak_bytes=peak)))
"""


def run(command, environment):
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    binary, megabytes, runs, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    environment = dict(os.environ, POLARS_MAX_THREADS=threads)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "payments.csv")
        subprocess.run([binary, "generate", path, megabytes], check=True)
        commands = {
            "kaizen": [binary, "read", path, threads],
            "polars": [sys.executable, "-c", POLARS.format(path=path)],
        }
        results = {name: [] for name in commands}
        for _ in range(runs + 1):
            for name, command in commands.items():
                results[name].append(run(command, environment))
    print(f"{megabytes} MB csv, {threads} threads, {runs} interleaved runs after one to warm up")
    print(f"{'reader':8} {'median s':>9} {'min s':>7} {'max s':>7} {'rows':>10} {'table MB':>9} {'peak MB':>8} {'peak/table':>10}")
    for name, all_runs in results.items():
        measured = all_runs[1:]
        seconds = [it["seconds"] for it in measured]
        last = measured[-1]
        peak = max(it["peak_bytes"] for it in measured)
        print(f"{name:8} {statistics.median(seconds):9.3f} {min(seconds):7.3f} {max(seconds):7.3f} {last['rows']:10} "
              f"{last['table_bytes'] / 1e6:9.0f} {peak / 1e6:8.0f} {peak / last['table_bytes']:10.2f}")
    pairs = zip(results["kaizen"][1:], results["polars"][1:])
    ratio = statistics.median(ours["seconds"] / theirs["seconds"] for ours, theirs in pairs)
    print(f"kaizen takes {ratio:.2f} of polars' time (median of the pairs)")


if __name__ == "__main__":
    main()
