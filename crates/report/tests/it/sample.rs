//! Reports with every section, from data made by formulas.

use kaizen_base::math::{exp, normal_cdf, normal_quantile, sin};
use kaizen_base::{Rng, Seed};
use kaizen_inspect::{Options, TaskHint, inspect};
use kaizen_report::{
    Calibration, CalibrationBin, ClassDiagnostics, Command, Curve, Diagnostics, Family, Headline, Importance,
    Interval, LeaderboardRow, NumberDiagnostics, ReportData, Reproduction, SearchPoint, Setting, Span,
};
use kaizen_table::{Column, Table};

const ROWS: usize = 7_043;

fn interval(middle: f64, half: f64) -> Interval {
    Interval { low: middle - half, high: middle + half, level: 0.95 }
}

fn setting(name: &str, value: &str) -> Setting {
    Setting { name: name.to_owned(), value: value.to_owned() }
}

/// A table with troubles of many kinds.
fn table(rng: &mut Rng) -> Table {
    let number = |rng: &mut Rng, scale: f64| -> Vec<f64> {
        (0..ROWS).map(|_| (exp(rng.normal()) * scale).round()).collect()
    };
    let pick = |rng: &mut Rng, words: &[&str]| -> Vec<Option<String>> {
        (0..ROWS).map(|_| (rng.uniform() > 0.03).then(|| words[rng.below(words.len())].to_owned())).collect()
    };
    let tenure = number(rng, 20.0);
    let churn: Vec<Option<&str>> = tenure
        .iter()
        .map(|months| Some(if rng.normal() * 20.0 > *months - 5.0 { "Yes" } else { "No" }))
        .collect();
    let leak: Vec<f64> = churn
        .iter()
        .map(|word| f64::from(u8::from((*word == Some("Yes")) != (rng.uniform() < 0.01))))
        .collect();
    Table::from_columns(vec![
        Column::text(
            "customerID",
            (0..ROWS).map(|row| Some(format!("{:04}-{:05X}", row * 37 % 9999, row * 7919))),
        ),
        Column::category("contract", &pick(rng, &["Month-to-month", "One year", "Two year"])),
        Column::number("tenure", tenure),
        Column::number("monthly_charges", number(rng, 60.0)),
        Column::category(
            "payment_method",
            &pick(rng, &["Electronic check", "Mailed check", "Bank transfer", "Credit card"]),
        ),
        Column::category(
            "In a row of three seats, who should get to use the two arm rests? <script>alert(1)</script>",
            &pick(rng, &["<b>nobody</b>", "=cmd|' /C calc'!A0", "both"]),
        ),
        Column::number("region", vec![1.0; ROWS]),
        Column::number("closed_in_month", leak),
        Column::category("Churn", &churn),
    ])
    .unwrap()
}

/// The curve of two normal scores `distance` apart.
fn roc(label: &str, distance: f64) -> Curve {
    let points = (0..=2_000)
        .map(|step| {
            let rate = f64::from(step) / 2_000.0;
            [rate, normal_cdf(normal_quantile(rate) + distance)]
        })
        .collect();
    Curve {
        label: label.to_owned(),
        points,
        area: Some(normal_cdf(distance / std::f64::consts::SQRT_2)),
        chance: None,
    }
}

fn precision_recall(label: &str, distance: f64, share: f64) -> Curve {
    let points = (1..=2_000)
        .map(|step| {
            let rate = f64::from(step) / 2_000.0;
            let recall = normal_cdf(normal_quantile(rate) + distance);
            [recall, recall * share / (recall * share + rate * (1.0 - share))]
        })
        .collect();
    Curve { label: label.to_owned(), points, area: Some(0.68), chance: Some(share) }
}

fn calibration(label: &str, bend: f64) -> Calibration {
    let bins = (0..15)
        .map(|bin| {
            let predicted = (f64::from(bin) + 0.5) / 15.0;
            CalibrationBin {
                predicted,
                observed: (predicted + bend * sin(predicted * std::f64::consts::TAU)).clamp(0.0, 1.0),
                count: 40 + (14 - bin) as usize * 60,
            }
        })
        .collect();
    Calibration { label: label.to_owned(), bins }
}

fn leaderboard() -> Vec<LeaderboardRow> {
    let row = |name: &str, score: f64, weight: f64, fit: f64, micros: f64, size: usize| LeaderboardRow {
        name: name.to_owned(),
        score: Some(score),
        interval: Some(interval(score, 0.011)),
        fit_seconds: Some(fit),
        row_microseconds: Some(micros),
        size_bytes: Some(size),
        weight,
    };
    let mut rows = vec![
        row("weighted ensemble", 0.8493, 1.0, 52.4, 61.0, 5_400_000),
        row("boosting · symmetric trees 17", 0.8471, 0.44, 3.1, 14.0, 1_200_000),
        row("boosting · leaf-wise trees 4", 0.8458, 0.22, 2.2, 18.0, 2_400_000),
        row("logistic regression 2", 0.8440, 0.19, 0.4, 6.0, 21_000),
        row("extra trees 3", 0.8377, 0.15, 4.8, 39.0, 1_900_000),
        row("random forest 1", 0.8312, 0.0, 5.9, 44.0, 8_800_000),
        row("nearest neighbours 1", 0.7890, 0.0, 0.1, 900.0, 3_100_000),
    ];
    rows.push(LeaderboardRow { name: "naive Bayes 1".to_owned(), ..LeaderboardRow::default() });
    rows
}

fn search(rng: &mut Rng, higher: bool, low: f64, high: f64) -> Vec<SearchPoint> {
    let mut best: Option<f64> = None;
    (0..214)
        .map(|trial| {
            let seconds = f64::from(trial) * 0.25 + rng.uniform() * 0.2;
            let reach = 1.0 - exp(-f64::from(trial + 1) / 40.0);
            let quality = low + (high - low) * (reach * (1.0 - 0.25 * rng.uniform() * rng.uniform()));
            let score = (rng.uniform() > 0.03).then_some(quality);
            let is_complete = trial < 20 || trial % 3 == 0;
            best = match (best, score.filter(|_| is_complete)) {
                (Some(best), Some(score)) => Some(if higher { best.max(score) } else { best.min(score) }),
                (best, score) => best.or(score),
            };
            SearchPoint {
                number: trial,
                seconds: Some(seconds),
                score: score.map(|score| if is_complete { score } else { low }),
                is_complete,
                best,
            }
        })
        .collect()
}

fn families() -> Vec<Family> {
    let family = |name: &str, tried, failed, best, seconds, outcome: &str| Family {
        name: name.to_owned(),
        tried,
        failed,
        best,
        seconds: Some(seconds),
        outcome: outcome.to_owned(),
    };
    vec![
        family("boosting", 121, 0, Some(0.8471), 33.2, "two in the ensemble, weight 66 %"),
        family("linear", 38, 0, Some(0.8440), 4.0, "one in the ensemble: errs on other rows than the trees"),
        family("forests", 29, 1, Some(0.8377), 12.1, "one in the ensemble; one trial stopped for memory"),
        family("neighbours", 18, 0, Some(0.7890), 1.9, "never near the best; given up after one rung"),
        family("naive Bayes", 8, 5, None, 0.2, "failed: a class had no variance in `region`"),
    ]
}

fn timeline() -> Vec<Span> {
    let steps = [
        ("read the table", 0.0, 0.3),
        ("inspect", 0.3, 0.42),
        ("search", 0.42, 53.6),
        ("ensemble", 50.1, 54.9),
        ("calibrate", 54.9, 55.6),
        ("explain", 55.6, 58.2),
        ("write the artifact", 58.2, 58.6),
    ];
    steps
        .map(|(name, start_seconds, end_seconds)| Span { name: name.to_owned(), start_seconds, end_seconds })
        .to_vec()
}

fn usage() -> Vec<Command> {
    let command = |title: &str, text: &str| Command { title: title.to_owned(), text: text.to_owned() };
    vec![
        command("Predict a file", "kaizen predict model.kaizen new.csv --proba --out predictions.csv"),
        command(
            "Serve it",
            "kaizen serve model.kaizen --port 8080\ncurl -d '{\"rows\": [{\"tenure\": 12}]}' localhost:8080/invocations",
        ),
        command(
            "From Python",
            "import kaizen\nmodel = kaizen.load(\"model.kaizen\")\nmodel.predict_proba(frame)",
        ),
    ]
}

fn reproduction(exact: bool) -> Reproduction {
    Reproduction {
        command: "kaizen fit churn.csv --target Churn --metric roc_auc --time-limit 60s --seed 42 --threads 2 --out model.kaizen".to_owned(),
        exact,
        settings: vec![setting("version", "0.1.0"), setting("seed", "42"), setting("threads", "2"), setting("preset", "balanced"), setting("trials", "214")],
        digests: vec![
            setting("data", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
            setting("artifact", "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"),
        ],
    }
}

fn importance(rng: &mut Rng) -> Vec<Importance> {
    let names = [
        "contract",
        "tenure",
        "monthly_charges",
        "payment_method",
        "In a row of three seats, who should get to use the two arm rests? <script>alert(1)</script>",
        "senior",
        "paperless",
    ];
    names
        .iter()
        .enumerate()
        .map(|(rank, name)| Importance {
            name: (*name).to_owned(),
            mean: 0.08 * exp(-(rank as f64)) - if rank == 6 { 0.002 } else { 0.0 },
            deviation: Some(0.002 + 0.003 * rng.uniform()),
        })
        .collect()
}

/// A report on two classes with every section.
pub(crate) fn binary() -> ReportData {
    let mut rng = Seed(1).rng();
    let table = table(&mut rng);
    let inspection = inspect(&table, Some(("Churn", TaskHint::Auto)), &Options::default()).unwrap();
    ReportData {
        headline: Headline {
            target: "Churn".to_owned(),
            task: "binary".to_owned(),
            metric: "roc_auc".to_owned(),
            higher_is_better: true,
            score: Some(0.8493),
            interval: Some(interval(0.8493, 0.0103)),
            scored_on: "out-of-fold predictions of 5 stratified folds over 7,043 rows".to_owned(),
            baseline: Some(0.5),
            test: Some((0.8461, Some(interval(0.8461, 0.019)))),
            model: "weighted ensemble of 4 models".to_owned(),
            row_count: ROWS,
            feature_count: 6,
            fit_seconds: Some(58.6),
            size_bytes: Some(5_400_000),
            row_microseconds: Some(61.0),
            cautions: vec!["`closed_in_month` alone nearly gives the target away; if it is filled in after the answer is known, this score is worthless.".to_owned()],
        },
        usage: usage(),
        inspection: Some(inspection),
        leaderboard: leaderboard(),
        search: search(&mut rng, true, 0.70, 0.85),
        diagnostics: Some(Diagnostics::Classes(ClassDiagnostics {
            names: vec!["No".to_owned(), "Yes".to_owned()],
            confusion: vec![vec![4_652.0, 522.0], vec![848.0, 1_021.0]],
            threshold: Some(0.5),
            roc: vec![roc("Yes", 1.46)],
            precision_recall: vec![precision_recall("Yes", 1.46, 0.265)],
            calibration: vec![calibration("Yes", 0.02)],
            sampled: Some((100_000, 284_807)),
        })),
        importance: importance(&mut rng),
        families: families(),
        why: "The ensemble beats its best member by 0.0022, more than the spread over folds (0.0009): linear and tree models err on different rows.".to_owned(),
        timeline: timeline(),
        reproduction: Some(reproduction(false)),
    }
}

/// A report on `class_count` classes.
pub(crate) fn multiclass(class_count: usize) -> ReportData {
    let mut data = binary();
    let names: Vec<String> =
        (0..class_count).map(|class| format!("class {}", (b'A' + class as u8) as char)).collect();
    let confusion = (0..class_count)
        .map(|class| {
            (0..class_count)
                .map(|other| if class == other { 180.0 } else { ((class * 7 + other * 3) % 11) as f64 })
                .collect()
        })
        .collect();
    let distance = |class: usize| 1.0 + 0.25 * class as f64;
    data.diagnostics = Some(Diagnostics::Classes(ClassDiagnostics {
        confusion,
        threshold: None,
        roc: names.iter().enumerate().map(|(class, name)| roc(name, distance(class))).collect(),
        precision_recall: names
            .iter()
            .enumerate()
            .map(|(class, name)| precision_recall(name, distance(class), 0.15))
            .collect(),
        calibration: names
            .iter()
            .enumerate()
            .map(|(class, name)| calibration(name, 0.01 * class as f64))
            .collect(),
        names,
        sampled: None,
    }));
    data
}

/// A report on a number.
pub(crate) fn regression() -> ReportData {
    let mut rng = Seed(2).rng();
    let mut data = binary();
    let points = (0..20_000)
        .map(|_| {
            let actual = 180_000.0 * exp(0.5 * rng.normal());
            [actual, actual * exp(0.18 * rng.normal())]
        })
        .collect();
    data.headline = Headline {
        target: "median_house_value".to_owned(),
        task: "regression".to_owned(),
        metric: "rmse".to_owned(),
        higher_is_better: false,
        score: Some(45_212.0),
        interval: Some(interval(45_212.0, 1_120.0)),
        baseline: Some(115_402.0),
        test: None,
        cautions: Vec::new(),
        ..data.headline
    };
    data.search = search(&mut rng, false, 90_000.0, 45_000.0);
    data.diagnostics = Some(Diagnostics::Numbers(NumberDiagnostics {
        points,
        coverage: Some((0.907, 0.9)),
        ..NumberDiagnostics::default()
    }));
    data.inspection = None;
    data.leaderboard = Vec::new();
    data.reproduction = Some(reproduction(true));
    data
}
