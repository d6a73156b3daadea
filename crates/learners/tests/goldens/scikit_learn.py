"""Writes scikit_learn.json: what scikit-learn's estimators give on a small table.

Made with numpy==2.4.6 and scikit-learn==1.9.1:
    pip install numpy==2.4.6 scikit-learn==1.9.1 && python scikit_learn.py
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

rng = np.random.RandomState(0)
rows, columns = 80, 5
x = rng.normal(size=(rows, columns))
x[:, 3] = 0.8 * x[:, 0] + 0.2 * x[:, 3]
x[:, 4] = 3.0 * x[:, 4] + 7.0
y = 4.0 + x @ np.array([2.0, -1.0, 0.0, 0.5, 0.25]) + 0.5 * rng.normal(size=rows)
binary = (y > np.median(y) + rng.normal(size=rows)).astype(int)
classes = np.digitize(y + 0.7 * rng.normal(size=rows), np.quantile(y, [0.3, 0.7]))
weights = rng.randint(1, 4, size=rows).astype(float)
# Neighbours are sought among the first rows, on the scale of these rows.
fitted = slice(0, 60)
z = (x - x[fitted].mean(axis=0)) / x[fitted].std(axis=0)
tight = {"tol": 1e-12, "max_iter": 1_000_000}


def linear(model, **fit):
    model.fit(x, y, **fit)
    return {"coefficients": model.coef_.tolist(), "intercept": float(model.intercept_)}


def logistic(target, c, **options):
    model = LogisticRegression(C=c, solver="newton-cg" if "l1_ratio" not in options else "saga",
                               **tight, **options).fit(x, target)
    return {"coefficients": model.coef_.tolist(), "intercepts": model.intercept_.tolist()}


out = {
    "scikit_learn": sklearn.__version__,
    "numpy": np.__version__,
    "x": x.T.tolist(),
    "y": y.tolist(),
    "binary": binary.tolist(),
    "classes": classes.tolist(),
    "weights": weights.tolist(),
    "ridge": linear(Ridge(alpha=8.0)),
    "ridge_weighted": linear(Ridge(alpha=8.0), sample_weight=weights),
    "lasso": linear(Lasso(alpha=0.1, **tight)),
    "elastic_net": linear(ElasticNet(alpha=0.2, l1_ratio=0.5, **tight)),
    "logistic": logistic(binary, 0.5),
    "logistic_l1": logistic(binary, 0.5, l1_ratio=1.0, random_state=0),
    "multinomial": logistic(classes, 0.5),
    # Smoothing zero but for rounding: the two libraries scale it differently.
    "naive_bayes": GaussianNB(var_smoothing=1e-15).fit(x, classes).predict_proba(x).tolist(),
    "neighbors_classifier": KNeighborsClassifier(7).fit(z[fitted], classes[fitted]).predict_proba(z[60:]).tolist(),
    "neighbors_regressor": KNeighborsRegressor(7, weights="distance").fit(z[fitted], y[fitted]).predict(z[60:]).tolist(),
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out) + "\n")
