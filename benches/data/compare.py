"""Interleaved runs of two csv readers on the same files: medians, spread, processor time, memory. Called by
`benches/data/run`."""

import json
import os
import statistics
import subprocess
import sys
import tempfile

POLARS = """
import json, resource, time
import polars
start, cpu = time.perf_counter(), time.process_time()
frame = polars.read_csv({path!r}, try_parse_dates=True)
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps(dict(seconds=seconds, cpu_seconds=cpu, rows=frame.height, columns=frame.width,
                      table_bytes=frame.estimated_size(), peak_bytes=peak)))
"""


def run(command, environment):
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def measure(binary, shape, megabytes, runs, threads):
    environment = dict(os.environ, POLARS_MAX_THREADS=threads)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, shape + ".csv")
        subprocess.run([binary, "generate", shape, path, megabytes], check=True)
        commands = {
            "kaizen": [binary, "read", path, threads],
            "polars": [sys.executable, "-c", POLARS.format(path=path)],
        }
        results = {name: [] for name in commands}
        for _ in range(runs + 1):
            for name, command in commands.items():
                results[name].append(run(command, environment))
    return {name: all_runs[1:] for name, all_runs in results.items()}


def report(shape, results):
    print(f"{shape}:")
    print(f"{'reader':8} {'median s':>9} {'min s':>7} {'max s':>7} {'cpu s':>7} {'rows':>10} {'table MB':>9} {'peak MB':>8} "
          f"{'peak/table':>10}")
    for name, measured in results.items():
        seconds = [it["seconds"] for it in measured]
        last = measured[-1]
        cpu = statistics.median(it["cpu_seconds"] for it in measured)
        peak = max(it["peak_bytes"] for it in measured)
        print(f"{name:8} {statistics.median(seconds):9.3f} {min(seconds):7.3f} {max(seconds):7.3f} {cpu:7.2f} "
              f"{last['rows']:10} {last['table_bytes'] / 1e6:9.0f} {peak / 1e6:8.0f} {peak / last['table_bytes']:10.2f}")

    def ratio(key):
        pairs = zip(results["kaizen"], results["polars"])
        return statistics.median(ours[key] / theirs[key] for ours, theirs in pairs)

    print(f"kaizen takes {ratio('seconds'):.2f} of polars' time and {ratio('cpu_seconds'):.2f} of its processor time "
          "(medians of the pairs)")


def main():
    binary, megabytes, runs, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    import polars
    print(f"{megabytes} MB csv, {threads} threads, {runs} interleaved runs after one to warm up, "
          f"polars {polars.__version__}")
    for shape in sys.argv[5:] or ["payments", "numbers"]:
        report(shape, measure(binary, shape, megabytes, runs, threads))


if __name__ == "__main__":
    main()
