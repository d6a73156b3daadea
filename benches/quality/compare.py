"""Default boosting beside default LightGBM, XGBoost and CatBoost: 5-fold scores, ranks and seconds over a suite of tables.

    PYTHON=... cargo xtask bench quality [--out FOLDER] [--systems "NAME ..."] [--tables "NAME ..."] [--again "NAME ..."]

A suite is a folder of parquet files with SUITE.csv (name, task, target). Every system is fitted on the same folds, which
are written to FOLDER/folds; a model sees nothing of the rows it is scored on, and no system is tuned. A result is kept
in FOLDER for each system, table and fold, so that an interrupted run goes on where it stopped; `--again` drops those of
the systems named. The peers are called as a person would who knows which columns are categories.

Systems: `kaizen` is default boosting (symmetric_trees with its starting values, columns as `kaizen fit` prepares them);
`kaizen-given` is the same on the columns as they stand in the file, words as categories, as the peers get them;
`kaizen-leafwise` is boosted_trees with its starting values, the number of rounds found on a fifth of the learning rows.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")

ROOT = Path(__file__).resolve().parents[2]
FOLDS = 5
SEED = 20261120
PEERS = ["lightgbm", "xgboost", "catboost"]
# Arguments of the example program for each way of calling Kaizen.
KAIZEN = {
    "kaizen": ["learner=symmetric_trees"],
    "kaizen-given": ["learner=symmetric_trees", "given=true"],
    "kaizen-leafwise": ["learner=boosted_trees", "inner=true"],
}
METRICS = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}


class Task:
    """One table of the suite with its folds."""

    def __init__(self, row, suite, out):
        self.name, self.task, self.target = row.name, row.task, row.target
        self.path = suite / f"{row.name}.parquet"
        self.fold_file = out / "folds" / f"{row.name}.txt"
        table = pd.read_parquet(self.path)
        table = table[table[self.target].notna()].reset_index(drop=True)
        self.y = table[self.target]
        self.x = table.drop(columns=[self.target])
        if not self.fold_file.exists():
            self.fold_file.parent.mkdir(parents=True, exist_ok=True)
            self.fold_file.write_text("".join(f"{fold}\n" for fold in self.cut()))
        self.folds = np.loadtxt(self.fold_file, dtype=int)

    def cut(self):
        """The fold of each row, stratified by class."""
        from sklearn.model_selection import KFold, StratifiedKFold

        if self.task == "regression":
            parts = KFold(FOLDS, shuffle=True, random_state=SEED).split(self.x)
        else:
            parts = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(self.x, self.y.astype(str))
        folds = np.zeros(len(self.y), int)
        for fold, (_, test) in enumerate(parts):
            folds[test] = fold
        return folds

    def score(self, test, predictions, classes):
        """ROC AUC, log loss or root mean squared error of the rows `test`."""
        from sklearn.metrics import log_loss, roc_auc_score

        predictions = np.asarray(predictions, float)
        if self.task == "regression":
            error = self.y[test].astype(float).to_numpy() - predictions.reshape(-1)
            return float(np.sqrt(np.mean(error**2)))
        truth = self.y[test].astype(str).to_numpy()
        classes = [str(name) for name in classes]
        assert set(truth) <= set(classes), "a class that the model does not know"
        if self.task == "binary":
            return float(roc_auc_score((truth == classes[1]).astype(int), predictions[:, 1]))
        order = sorted(range(len(classes)), key=lambda index: classes[index])
        shares = np.clip(predictions[:, order], 1e-15, 1)
        shares /= shares.sum(1, keepdims=True)
        return float(log_loss(truth, shares, labels=[classes[index] for index in order]))

    def is_better(self, score, than):
        return score > than if self.task == "binary" else score < than


def peer_model(system, task, threads, categories):
    """The peer with its defaults, for this task."""
    regression = task == "regression"
    if system == "lightgbm":
        from lightgbm import LGBMClassifier, LGBMRegressor

        return (LGBMRegressor if regression else LGBMClassifier)(n_jobs=threads, verbose=-1)
    if system == "xgboost":
        from xgboost import XGBClassifier, XGBRegressor

        return (XGBRegressor if regression else XGBClassifier)(n_jobs=threads, enable_categorical=True)
    from catboost import CatBoostClassifier, CatBoostRegressor

    kind = CatBoostRegressor if regression else CatBoostClassifier
    return kind(thread_count=threads, verbose=0, allow_writing_files=False, cat_features=categories)


def peer_features(system, x):
    """Columns as the peer wants them: moments as seconds, words and truth values as categories."""
    x = x.copy()
    categories = []
    for name in list(x.columns):
        if "datetime" in str(x[name].dtype):
            x[name] = pd.to_datetime(x[name], utc=True).astype("int64") / 1e9
        elif pd.api.types.is_bool_dtype(x[name]) or not pd.api.types.is_numeric_dtype(x[name]):
            words = x[name].astype(object).where(x[name].notna(), None)
            if system == "catboost":
                x[name] = words.map(lambda word: "NA" if word is None else str(word)).astype(str)
                categories.append(name)
            else:
                # Missing cells stay missing; levels of all rows are known, so that both can code unseen ones.
                x[name] = pd.Categorical(words.map(lambda word: None if word is None else str(word)))
    return x, categories


def run_peer(system, task, out, threads):
    x, categories = peer_features(system, task.x)
    names = sorted(task.y.astype(str).unique()) if task.task != "regression" else []
    y = task.y.astype(float) if task.task == "regression" else task.y.astype(str).map(names.index)
    for fold in range(FOLDS):
        kept = result_file(out, system, task, fold)
        if kept.exists():
            continue
        learn, test = np.flatnonzero(task.folds != fold), np.flatnonzero(task.folds == fold)
        model = peer_model(system, task.task, threads, categories)
        start = time.perf_counter()
        model.fit(x.iloc[learn], y.iloc[learn])
        seconds = time.perf_counter() - start
        found = model.predict(x.iloc[test]) if not names else model.predict_proba(x.iloc[test])
        write(kept, dict(score=task.score(test, found, names), fit_seconds=seconds))


def run_kaizen(system, task, out, threads, program):
    if all(result_file(out, system, task, fold).exists() for fold in range(FOLDS)):
        return
    found = out / f"{system}.{task.name}.predictions.json"
    command = [program, task.path, task.target, task.task, task.fold_file, found, f"threads={threads}"]
    subprocess.run([str(part) for part in command + KAIZEN[system]], check=True, stdout=subprocess.DEVNULL)
    result = json.loads(found.read_text())
    found.unlink()
    for fold in range(FOLDS):
        test = np.flatnonzero(task.folds == fold)
        predictions = [result["predictions"][row] for row in test]
        score = task.score(test, predictions, result["classes"])
        seconds = result["fit_seconds"][fold]
        write(result_file(out, system, task, fold), dict(score=score, fit_seconds=seconds))


def result_file(out, system, task, fold):
    return out / f"{system}.{task.name}.{fold}.json"


def write(path, result):
    """Writes whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result))
    part.replace(path)


def load(out, system, task):
    """Scores and seconds of all folds, or None."""
    files = [result_file(out, system, task, fold) for fold in range(FOLDS)]
    if not all(file.exists() for file in files):
        return None
    results = [json.loads(file.read_text()) for file in files]
    return [result["score"] for result in results], [result["fit_seconds"] for result in results]


def ranks(task, scores):
    """Rank of each score, 1 the best; equal ones share the mean."""
    return [
        1 + sum(task.is_better(other, score) for other in scores) + (sum(other == score for other in scores) - 1) / 2
        for score in scores
    ]


def digits(score):
    return f"{score:.5g}" if score < 1 else f"{score:.6g}"


def report(tasks, systems, out):
    """The tables: scores, ranks of each way of calling Kaizen among the peers, wins, seconds."""
    found = {(task.name, system): load(out, system, task) for task in tasks for system in systems}
    print(f"\n| table | metric | {' | '.join(systems)} |\n|---|---|{'---:|' * len(systems)}")
    for task in tasks:
        means = [np.mean(result[0]) if (result := found[task.name, system]) else None for system in systems]
        best = None
        for mean in means:
            if mean is not None and (best is None or task.is_better(mean, best)):
                best = mean
        cells = ["-" if mean is None else f"**{digits(mean)}**" if mean == best else digits(mean) for mean in means]
        print(f"| {task.name} | {METRICS[task.task]} | {' | '.join(cells)} |")
    peers = [system for system in systems if system in PEERS]
    for own in [system for system in systems if system in KAIZEN]:
        rivals = [own] + peers
        whole = [task for task in tasks if all(found[task.name, system] for system in rivals)]
        if not whole:
            continue
        rows = [ranks(task, [np.mean(found[task.name, system][0]) for system in rivals]) for task in whole]
        print(f"\nMean rank among {', '.join(rivals)} over {len(whole)} tables (1 is best):")
        print(f"\n| {' | '.join(rivals)} |\n|{'---:|' * len(rivals)}")
        print(f"| {' | '.join(f'{rank:.2f}' for rank in np.mean(rows, axis=0))} |")
        print(f"\n| {own} against | better on | worse on | beyond two standard errors of the folds: better, worse |")
        print("|---|---:|---:|---:|")
        for peer in peers:
            print(f"| {peer} | {' | '.join(map(str, duel(whole, found, own, peer)))} |")
    print("\n| system | tables | fit seconds, all folds | median of a table | largest of a table |\n|---|---:|---:|---:|---:|")
    for system in systems:
        sums = [sum(found[task.name, system][1]) for task in tasks if found[task.name, system]]
        if sums:
            print(f"| {system} | {len(sums)} | {sum(sums):.0f} | {np.median(sums):.1f} | {max(sums):.0f} |")


def duel(tasks, found, own, peer):
    """Tables won and lost by mean, and both counts where the paired difference exceeds two standard errors."""
    won = lost = clearly_won = clearly_lost = 0
    for task in tasks:
        ours, theirs = (np.array(found[task.name, system][0]) for system in (own, peer))
        gains = ours - theirs if task.task == "binary" else theirs - ours
        clear = abs(gains.mean()) > 2 * gains.std(ddof=1) / math.sqrt(FOLDS)
        won, lost = won + (gains.mean() > 0), lost + (gains.mean() < 0)
        clearly_won, clearly_lost = clearly_won + (clear and gains.mean() > 0), clearly_lost + (clear and gains.mean() < 0)
    return won, lost, f"{clearly_won}, {clearly_lost}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", type=Path, default=ROOT / "../shared/data/tabular")
    parser.add_argument("--out", type=Path, default=ROOT / "target/bench-quality")
    parser.add_argument("--systems", default=" ".join(list(KAIZEN) + PEERS))
    parser.add_argument("--tables", default="")
    parser.add_argument("--again", default="")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--report-only", action="store_true")
    options = parser.parse_args()
    if not (options.suite / "SUITE.csv").exists():
        print(f"skipped: the suite of tables is not there ({options.suite}/SUITE.csv)", file=sys.stderr)
        return
    systems = options.systems.split()
    unknown = [system for system in systems if system not in KAIZEN and system not in PEERS]
    if unknown:
        sys.exit(f"no system {unknown[0]}; there are {', '.join(list(KAIZEN) + PEERS)}")
    suite = pd.read_csv(options.suite / "SUITE.csv")
    suite = suite[suite.name.isin(options.tables.split())] if options.tables else suite
    options.out.mkdir(parents=True, exist_ok=True)
    tasks = [Task(row, options.suite, options.out) for row in suite.itertuples(index=False)]
    for system in options.again.split():
        for file in options.out.glob(f"{system}.*.json"):
            file.unlink()
    if not options.report_only:
        program = None
        if any(system in KAIZEN for system in systems):
            build = ["cargo", "build", "--release", "-p", "kaizen-tabular", "--example", "quality"]
            subprocess.run(build, cwd=ROOT, check=True)
            target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
            program = target / "release/examples/quality"
        for task in sorted(tasks, key=lambda task: len(task.y)):
            for system in systems:
                print(f"{task.name}: {system}", file=sys.stderr, flush=True)
                if system in KAIZEN:
                    run_kaizen(system, task, options.out, options.threads, program)
                else:
                    run_peer(system, task, options.out, options.threads)
    report(tasks, systems, options.out)


if __name__ == "__main__":
    main()
