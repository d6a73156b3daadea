"""Makes goldens.json: values of scikit-learn for the table of metrics, on small seeded inputs.

Run with Python 3.11, numpy 2.4.6 and scikit-learn 1.9.1:  python make_goldens.py > goldens.json
"""

import json
import sys

import numpy as np
import sklearn
from sklearn import metrics as m
from sklearn.preprocessing import label_binarize

assert sklearn.__version__ == "1.9.1", sklearn.__version__
assert np.__version__ == "2.4.6", np.__version__

AVERAGES = ["macro", "micro", "weighted"]


def by_labels(truth, predicted, w, is_binary):
    out = {
        "accuracy": m.accuracy_score(truth, predicted, sample_weight=w),
        "balanced_accuracy": m.balanced_accuracy_score(truth, predicted, sample_weight=w),
        "mcc": m.matthews_corrcoef(truth, predicted, sample_weight=w),
        "cohen_kappa": m.cohen_kappa_score(truth, predicted, sample_weight=w),
        "cohen_kappa_quadratic": m.cohen_kappa_score(truth, predicted, weights="quadratic", sample_weight=w),
    }
    families = {"f1": m.f1_score, "precision": m.precision_score, "recall": m.recall_score}
    for name, function in families.items():
        for average in AVERAGES:
            out[f"{name}_{average}"] = function(
                truth, predicted, average=average, sample_weight=w, zero_division=0
            )
        if is_binary:
            out[name] = function(truth, predicted, sample_weight=w, zero_division=0)
    return out


def binary(truth, p, w):
    probabilities = np.column_stack([1 - p, p])
    out = by_labels(truth, probabilities.argmax(axis=1), w, True)
    out["roc_auc"] = m.roc_auc_score(truth, p, sample_weight=w)
    out["average_precision"] = m.average_precision_score(truth, p, sample_weight=w)
    out["log_loss"] = m.log_loss(truth, probabilities, sample_weight=w)
    out["brier"] = m.brier_score_loss(truth, p, sample_weight=w)
    return out


def multiclass(truth, probabilities, w):
    classes = probabilities.shape[1]
    out = by_labels(truth, probabilities.argmax(axis=1), w, False)
    out["log_loss"] = m.log_loss(truth, probabilities, sample_weight=w)
    out["brier"] = m.brier_score_loss(truth, probabilities, sample_weight=w)
    for average, suffix in [("macro", ""), ("weighted", "_weighted")]:
        out[f"roc_auc_ovr{suffix}"] = m.roc_auc_score(
            truth, probabilities, multi_class="ovr", average=average, sample_weight=w
        )
        if w is None:  # scikit-learn has no weights for one-vs-one
            out[f"roc_auc_ovo{suffix}"] = m.roc_auc_score(
                truth, probabilities, multi_class="ovo", average=average
            )
    one_hot = label_binarize(truth, classes=np.arange(classes))
    out["average_precision"] = m.average_precision_score(one_hot, probabilities, sample_weight=w)
    return out


def regression(y, p, w, is_positive):
    out = {
        "mse": m.mean_squared_error(y, p, sample_weight=w),
        "rmse": m.root_mean_squared_error(y, p, sample_weight=w),
        "mae": m.mean_absolute_error(y, p, sample_weight=w),
        "median_ae": m.median_absolute_error(y, p, sample_weight=w),
        "mape": m.mean_absolute_percentage_error(y, p, sample_weight=w),
        "r2": m.r2_score(y, p, sample_weight=w),
        "explained_variance": m.explained_variance_score(y, p, sample_weight=w),
        "max_error": m.max_error(y, p),
        "pinball": m.mean_pinball_loss(y, p, sample_weight=w),
    }
    if is_positive:
        out["rmsle"] = m.root_mean_squared_log_error(y, p, sample_weight=w)
        out["poisson_deviance"] = m.mean_poisson_deviance(y, p, sample_weight=w)
        out["gamma_deviance"] = m.mean_gamma_deviance(y, p, sample_weight=w)
    return out


def plain(values):
    return {name: float(value) for name, value in sorted(values.items())}


def main():
    rng = np.random.default_rng(20261120)
    rows = 60
    weights = rng.choice([0.25, 0.5, 1.0, 2.0, 3.7], rows)
    cases = []

    def add(name, kind, truth, predictions, columns, of, levels=None):
        case = {
            "name": name,
            "kind": kind,
            "truth": [float(t) for t in truth],
            "columns": columns,
            "predictions": [float(v) for v in np.asarray(predictions).ravel()],
            "weights": [float(w) for w in weights[: len(truth)]],
            "plain": plain(of(None)),
            "weighted": plain(of(weights[: len(truth)])),
        }
        if levels is not None:
            case["levels"] = levels
        cases.append(case)

    def add_binary(name, truth, p):
        add(name, "classes", truth, np.column_stack([1 - p, p]), 2, lambda w: binary(truth, p, w))

    truth = (rng.random(rows) < 0.4).astype(int)
    smooth = 1 / (1 + np.exp(-(rng.normal(size=rows) + 1.5 * truth - 0.7)))
    add_binary("binary", truth, smooth)
    add_binary("binary with ties", truth, np.round(smooth, 1))
    add_binary("binary with certainty, also wrong", truth, np.where(rng.random(rows) < 0.9, truth, 1 - truth).astype(float))
    add_binary("binary, nothing predicted positive", truth, 0.4 * smooth)
    rare = np.zeros(rows, dtype=int)
    rare[[7, 31]] = 1
    add_binary("binary, two positives of sixty", rare, 0.1 * smooth + 0.3 * rare * smooth)

    for classes in (3, 5):
        truth = np.concatenate([np.arange(classes), rng.integers(0, classes, rows - classes)])
        raw = rng.normal(size=(rows, classes)) + 1.2 * np.eye(classes)[truth]
        probabilities = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
        add(f"{classes} classes", "classes", truth, probabilities, classes, lambda w: multiclass(truth, probabilities, w))
        coarse = np.round(8 * probabilities) + 0.5
        coarse /= coarse.sum(axis=1, keepdims=True)
        add(f"{classes} classes with ties", "classes", truth, coarse, classes, lambda w: multiclass(truth, coarse, w))

    y = rng.normal(size=rows)
    p = y + 0.5 * rng.normal(size=rows) + 0.2
    add("numbers", "values", y, p, 1, lambda w: regression(y, p, w, False))
    counts = rng.gamma(2.0, 3.0, rows) + 0.01
    estimates = counts * np.exp(0.3 * rng.normal(size=rows))
    add("positive numbers", "values", counts, estimates, 1, lambda w: regression(counts, estimates, w, True))
    grid, rounded = np.round(y, 0), np.round(p, 0)
    add("numbers with ties and zeros", "values", grid, rounded, 1, lambda w: regression(grid, rounded, w, False))
    far = 1e6 + y
    add("numbers far from zero", "values", far, 1e6 + p, 1, lambda w: regression(far, 1e6 + p, w, True))

    levels = [0.05, 0.5, 0.9]
    quantiles = np.column_stack([y - 1.0, p, y + 0.7 * rng.random(rows)])

    def pinball(w):
        losses = [m.mean_pinball_loss(y, quantiles[:, i], alpha=a, sample_weight=w) for i, a in enumerate(levels)]
        return {"pinball": np.mean(losses)}

    add("quantiles", "quantiles", y, quantiles, 3, pinball, levels)

    json.dump({"scikit-learn": sklearn.__version__, "cases": cases}, sys.stdout, indent=None, separators=(",", ":"))
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
