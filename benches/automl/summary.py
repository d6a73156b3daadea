#!/usr/bin/env python3
"""Prints Markdown tables of bench results: scores, wins, overruns, memory. usage: summary.py OUT_DIR BUDGET"""
import glob
import json
import math
import os
import sys

LOWER_IS_BETTER = {"binary": False, "multiclass": True, "regression": True}
PEERS = ["kaizen", "autogluon-best", "autogluon-medium", "flaml", "catboost-default", "lgbm-default"]


def load(folder, budget):
    results = {}
    for path in sorted(glob.glob(os.path.join(folder, f"*.{budget}.json"))):
        table, peer = os.path.basename(path)[: -len(f".{budget}.json")].rsplit(".", 1)
        try:
            with open(path) as file:
                results.setdefault(table, {})[peer] = json.load(file)
        except ValueError:
            results.setdefault(table, {})[peer] = {"ok": False, "error": "no result file"}
    return results


def beats(a, b, task):
    """Whether result a is better than result b; a failure loses to any result."""
    if not a.get("ok"):
        return False
    if not b.get("ok"):
        return True
    return a["score"] < b["score"] if LOWER_IS_BETTER[task] else a["score"] > b["score"]


def cell(result, best):
    if result is None:
        return "–"
    if not result.get("ok"):
        return "failed"
    text = f"{result['score']:.5g}"
    return f"**{text}**" if best else text


def main():
    folder, budget = sys.argv[1], sys.argv[2]
    results = load(folder, budget)
    peers = [peer for peer in PEERS if any(peer in row for row in results.values())]
    print(f"| table | task | {' | '.join(peers)} |")
    print("|---|---|" + "---:|" * len(peers))
    wins = {peer: [0, 0] for peer in peers}
    best_of_all = [0, 0]
    for table, row in results.items():
        task = next((r["task"] for r in row.values() if "task" in r), "regression")
        done = [r for r in row.values() if r.get("ok")]
        cells = []
        for peer in peers:
            result = row.get(peer)
            best = bool(result) and result.get("ok") and not any(beats(other, result, task) for other in done)
            cells.append(cell(result, best))
        print(f"| {table} | {task} | {' | '.join(cells)} |")
        ours = row.get("kaizen")
        if ours:
            for peer in peers:
                if peer != "kaizen" and peer in row:
                    wins[peer][0] += beats(ours, row[peer], task)
                    wins[peer][1] += 1
            others = [row[peer] for peer in peers if peer != "kaizen" and peer in row]
            if others:
                best_of_all[0] += all(beats(ours, other, task) for other in others)
                best_of_all[1] += 1
    print()
    print("Score: ROC AUC (binary, higher is better), log loss (multiclass) and RMSE (regression, lower is better); the best is bold.")
    print()
    print("| Kaizen is better than | tables |")
    print("|---|---:|")
    for peer in peers:
        if peer != "kaizen" and wins[peer][1]:
            print(f"| {peer} | {wins[peer][0]} of {wins[peer][1]} |")
    print(f"| the best of them | {best_of_all[0]} of {best_of_all[1]} |")
    print()
    print("| system | fits | failures | longest fit, s | over the limit by > 5 % + 1 s | largest peak memory, MB | median peak memory, MB | largest artifact, MB |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for peer in peers:
        rows = [row[peer] for row in results.values() if peer in row]
        times = [r["fit_s"] for r in rows if "fit_s" in r]
        memory = sorted(r["peak_mb"] for r in rows if "peak_mb" in r)
        sizes = [r["disk_mb"] for r in rows if "disk_mb" in r]
        limit = 1.05 * float(budget) + 1
        late = sum(t > limit for t in times) if not peer.endswith("default") else math.nan
        print(
            f"| {peer} | {len(rows)} | {sum(not r.get('ok') for r in rows)} | {max(times, default=math.nan):.1f} | "
            f"{'–' if late != late else late} | {max(memory, default=math.nan):.0f} | "
            f"{memory[len(memory) // 2] if memory else math.nan:.0f} | {max(sizes, default=math.nan):.1f} |"
        )


if __name__ == "__main__":
    main()
