"""Makes the goldens that `tests/it/oracle.rs` compares the tree engine with.

One command:  python crates/trees/tests/golden/make_goldens.py

Needs lightgbm==4.7.0, xgboost and numpy. Writes beside itself: data.csv (300 rows, made here from a fixed seed; columns of
few distinct values, so that every engine cuts the same bins), predictions.csv (raw training scores of each case, one
column for each output) and first_splits.csv (the root of each case's first tree: feature, the values on either side of
the threshold, and the gain).
"""

from pathlib import Path

import lightgbm
import numpy as np
import xgboost

HERE = Path(__file__).resolve().parent
ROWS = 300
ROUNDS = 10

LIGHTGBM = dict(
    num_leaves=8, learning_rate=0.3, min_data_in_leaf=10, min_sum_hessian_in_leaf=1e-3, min_data_in_bin=1, max_bin=255,
    feature_pre_filter=False, boost_from_average=False, num_threads=1, deterministic=True, force_col_wise=True, verbose=-1,
    enable_bundle=False,
)
XGBOOST = dict(
    tree_method="hist", max_bin=256, eta=0.3, max_depth=4, min_child_weight=5, base_score=0.0, nthread=1, verbosity=0,
)
# Trees that are held by the sum of second derivatives and not by the number of rows, which LightGBM only estimates.
BY_HESSIAN = dict(min_data_in_leaf=0, min_sum_hessian_in_leaf=2.0)


def make():
    """Columns a, b, c without and d with missing values, and a target of each kind."""
    rng = np.random.RandomState(7)
    x = np.column_stack([rng.randint(0, most, ROWS) for most in (12, 8, 20, 5)]).astype(float)
    d = x[:, 3].copy()
    x[rng.rand(ROWS) < 0.15, 3] = np.nan
    truth = np.sin(x[:, 0]) + 0.5 * (x[:, 1] - 3) * (d > 2) + 0.1 * x[:, 2] - 1
    number = np.round(truth + 0.3 * rng.randn(ROWS), 3)
    binary = (rng.rand(ROWS) < 1 / (1 + np.exp(-2 * truth))).astype(int)
    classes = np.digitize(truth + 0.2 * rng.randn(ROWS), [-0.5, 0.7])
    count = rng.poisson(np.exp(0.5 * truth))
    weight = rng.randint(1, 4, ROWS)
    return x, dict(number=number, binary=binary, classes=classes, count=count, above=count + 1, weight=weight)


def lightgbm_case(x, y, weight=None, rounds=ROUNDS, **params):
    """Raw scores [rows, outputs] and the root of the first tree."""
    data = lightgbm.Dataset(x, y, weight=weight, params={**LIGHTGBM, **params})
    model = lightgbm.train({**LIGHTGBM, **params}, data, rounds)
    root = model.dump_model()["tree_info"][0]["tree_structure"]
    scores = model.predict(x, raw_score=True).reshape(ROWS, -1)
    return scores, (root["split_feature"], root["threshold"], root["split_gain"])


def xgboost_case(x, y, **params):
    """As lightgbm_case; XGBoost's gain is that of the same formula."""
    data = xgboost.DMatrix(x, y)
    model = xgboost.train({**XGBOOST, **params}, data, ROUNDS)
    trees = model.trees_to_dataframe()
    root = trees[(trees.Tree == 0) & (trees.Node == 0)].iloc[0]
    scores = model.predict(data, output_margin=True).reshape(ROWS, -1)
    # A row goes left below XGBoost's threshold, so equality belongs to the right.
    return scores, (int(root.Feature[1:]), np.nextafter(root.Split, -np.inf), float(root.Gain))


def cases(x, targets):
    """Name, raw scores and first split of every case."""
    number, binary, count = targets["number"], targets["binary"], targets["count"]
    yield "squared", *lightgbm_case(x, number, objective="regression")
    yield "one_round", *lightgbm_case(x, number, objective="regression", rounds=1)
    yield "l2", *lightgbm_case(x, number, objective="regression", lambda_l2=2.0)
    yield "shallow", *lightgbm_case(x, number, objective="regression", max_depth=2)
    yield "weighted", *lightgbm_case(x, number, weight=targets["weight"], objective="regression", **BY_HESSIAN)
    yield "huber", *lightgbm_case(x, number, objective="huber", alpha=0.7)
    yield "logistic", *lightgbm_case(x, binary, objective="binary", **BY_HESSIAN)
    yield "softmax", *lightgbm_case(x, targets["classes"], objective="multiclass", num_class=3, **BY_HESSIAN)
    yield "poisson", *lightgbm_case(x, count, objective="poisson", poisson_max_delta_step=1e-9, **BY_HESSIAN)
    yield "gamma", *lightgbm_case(x, targets["above"], objective="gamma", **BY_HESSIAN)
    yield "tweedie", *lightgbm_case(x, count, objective="tweedie", tweedie_variance_power=1.5, **BY_HESSIAN)
    yield "interactions", *lightgbm_case(
        x, number, objective="regression", interaction_constraints=[[0, 1], [2, 3]]
    )
    # Without missing values: where a leaf looks at one, LightGBM and Kaizen fit the rest of its rows alike, but LightGBM
    # fits no row of the first tree.
    yield "linear", *lightgbm_case(x[:, :3], number, objective="regression", linear_tree=True, linear_lambda=0.0)
    yield "depth_wise", *xgboost_case(x, number, objective="reg:squarederror")
    yield "depth_wise_logistic", *xgboost_case(x, binary, objective="binary:logistic", base_score=0.5)
    # LightGBM never again tries a feature below a node where its gain was not enough, though further down it may be.
    yield "l1", *xgboost_case(x, number, objective="reg:squarederror", alpha=0.5)
    yield "min_gain", *xgboost_case(x, number, objective="reg:squarederror", gamma=2.0)
    # LightGBM takes the free parent's score from the bounded children's; XGBoost bounds both, as Kaizen does.
    yield "monotone", *xgboost_case(x, number, objective="reg:squarederror", monotone_constraints="(1,1,0,0)")
    yield "loss_guided", *xgboost_case(
        x, number, objective="reg:squarederror", grow_policy="lossguide", max_leaves=9, max_depth=0
    )


def main():
    x, targets = make()
    names, columns, splits = [], [], []
    for name, scores, (feature, threshold, gain) in cases(x, targets):
        values = np.unique(x[~np.isnan(x[:, feature]), feature])
        low, high = values[values <= threshold].max(initial=-1), values[values > threshold].min(initial=99)
        splits.append(f"{name},{feature},{low:g},{high:g},{gain:.9g}")
        for output in range(scores.shape[1]):
            names.append(f"{name}{output}")
            columns.append([f"{score:.9g}" for score in scores[:, output]])
    header = ["a", "b", "c", "d", *targets]
    table = [[f"{value:g}" for value in column] for column in [*x.T, *targets.values()]]
    for path, head, rows in [
        ("data.csv", header, zip(*table)),
        ("predictions.csv", names, zip(*columns)),
    ]:
        lines = [",".join(head), *(",".join(row) for row in rows)]
        (HERE / path).write_text("\n".join(lines) + "\n")
    (HERE / "first_splits.csv").write_text("\n".join(["case,feature,low,high,gain", *splits]) + "\n")
    print(f"lightgbm {lightgbm.__version__}, xgboost {xgboost.__version__}: {len(splits)} cases, {ROWS} rows")


if __name__ == "__main__":
    main()
