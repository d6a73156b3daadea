//! Every file of the collection of dirty files, through the real binary: what `fit` and `predict` must do with it.
//!
//! The expectations are our reading of the collection's own `manifest.csv`; a file that is there and not here, or the
//! other way round, fails the test.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::program::{Ended, Folder};

/// The collection, if this machine has it.
fn collection() -> Option<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/dirty"));
    if folder.join("manifest.csv").exists() {
        return Some(folder.to_path_buf());
    }
    println!("skipped: the collection of dirty files (../shared/data/dirty) is not on this machine");
    None
}

/// What must come of a file.
struct Case {
    file: &'static str,
    /// `--target`; none where the manifest names none.
    target: Option<&'static str>,
    options: &'static [&'static str],
    code: i32,
    /// Each must be said on standard error by `fit`, or by `inspect`, to which `fit` points for all small things.
    says: &'static [&'static str],
    /// None may be said on standard error.
    never: &'static [&'static str],
    /// Rows and features that the search works on.
    shape: (usize, usize),
    /// Rows that the file holds, and so the number of predictions; 0 where it is not predicted.
    predicted: usize,
    /// What cross-validation may give, in the metric of the run.
    score: RangeInclusive<f64>,
}

const ANY: RangeInclusive<f64> = f64::MIN..=f64::MAX;

/// Enough for the dummy and a linear model.
const QUICK: &[&str] = &["--max-trials", "2"];
/// Boosted trees as well.
const TREES: &[&str] = &["--max-trials", "3"];

/// A file that gives a model.
const fn good(
    file: &'static str,
    target: &'static str,
    options: &'static [&'static str],
    shape: (usize, usize),
    predicted: usize,
    says: &'static [&'static str],
) -> Case {
    let target = Some(target);
    Case { file, target, options, code: 0, says, never: &[], shape, predicted, score: ANY }
}

/// A file that gives none.
const fn refused(file: &'static str, target: &'static str, says: &'static [&'static str]) -> Case {
    let target = Some(target);
    Case { file, target, options: QUICK, code: 2, says, never: &[], shape: (0, 0), predicted: 0, score: ANY }
}

impl Case {
    const fn score(mut self, range: RangeInclusive<f64>) -> Self {
        self.score = range;
        self
    }

    const fn never(mut self, words: &'static [&'static str]) -> Self {
        self.never = words;
        self
    }

    const fn without_target(mut self) -> Self {
        self.target = None;
        self
    }
}

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    vec![
        // Thirteen columns of decimal commas are numbers; the time of day is not.
        good("r01_semicolon_decimal_comma.csv", "C6H6(GT)", QUICK, (9357, 13), 9357,
            &["column `RH`: 8109 numbers read through decimal commas", "-200", "looks like a code for missing"]),
        good("r03_bom_header.csv", "Attrition", QUICK, (1470, 30), 1470,
            &["3 columns with one value in every row: `EmployeeCount`, `Over18`, `StandardHours`. Drops them.",
                "`EmployeeNumber` has a new value in (nearly) every row: a key. Drops it"]),
        good("r05_latin1_text.csv", "label", QUICK, (5572, 1), 5572, &["read as Windows-1252"])
            .score(0.95..=1.0),
        good("r07_duplicate_header_bom.csv", "area", QUICK, (210, 6), 210,
            &["column `length_2`: is called `length` in the file"]),
        good("r08_no_header.csv", "", QUICK, (306, 3), 306, &["the first row looks like data"])
            .without_target(),
        good("r10_header_spaces_bom.csv", "Disease", QUICK, (270, 13), 270,
            &["spaces around 6 column names removed"]),
        good("r11_tampered_workbook.xlsx", "Class", QUICK, (13611, 16), 13611,
            &["sheet `Dry_Beans_Dataset` was read; the others are `Info`",
                "column `Compactness`: 1 number with the other decimal mark",
                "column `ShapeFactor3`: 1 number with the other decimal mark", "`ShapeFactor5`. Drops it."]),
        good("r13_survey_many_nulls.csv", "Gender", QUICK, (1007, 25), 1040,
            &["33 rows (3.2 %) have no target", "`RespondentID` has a new value in (nearly) every row: a key. Drops it"]),
        good("c01_ragged_rows.csv", "survived", QUICK, (885, 10), 891,
            &["6 rows without exactly 11 fields left out (lines 6, 10, 51, 78, 301, 501)"]),
        good("c02_quoted_newlines.csv", "survived", QUICK, (891, 11), 891, &[]),
        refused("c03_one_row.csv", "rings", &["1 row", "at least 10 are needed"]),
        refused("c05_empty.csv", "x", &["c05_empty.csv", "empty (0 bytes)"]),
        // 27 to 30 of 2,000 cells are infinite or overflow, about 84 say that they are missing.
        good("c06_nan_inf_tokens.csv", "median_house_value", QUICK, (2000, 9), 2000,
            &["column `total_rooms`: 27 infinite or overflowing numbers became missing",
                "column `population`: 30 infinite", "column `households`: 30 infinite",
                "column `median_income`: 26 infinite", "column `total_rooms`: 84 cells that stand for a missing value"]),
        // What is in the table is worth about 0.84; see `target_encoding_does_not_flatter_itself` for the rest.
        good("c07_high_cardinality_10k.csv", "y", QUICK, (20000, 2), 20000, &[]).score(0.80..=0.88),
        good("c09_huge_ints.csv", "y", &["--max-trials", "3", "--metric", "r2"], (2000, 2), 2000,
            &["column `account`: 1998 integers beyond 2^53; kept as exact text",
                "column `zip`: digits such as `00615` are codes; kept as text", "keys. Drops them"])
            .score(0.85..=1.0),
        good("c10_target_missing.csv", "income", QUICK, (2550, 14), 3000, &["450 rows (15 %) have no target"])
            .never(&["multiclass"]),
        refused("c11_constant_target_regression.csv", "median_house_value",
            &["`median_house_value` is constant: every row has 200,000"]),
        refused("c12_single_class.csv", "class", &["only one class (good)"]),
        good("c14_all_null_and_constant.csv", "survived", QUICK, (891, 11), 891,
            &["5 columns without any value: `empty_0`", "2 columns with one value in every row: `const`, `const_num`. Drops them."]),
        good("c15_mixed_types.csv", "median_house_value", QUICK, (2000, 9), 2000,
            &["column `housing_median_age`: 60 cells that cannot be read as number became missing",
                "column `households`: 30 cells that cannot be read as number became missing",
                "column `total_rooms`: 30 numbers read through thousands separators"])
            .score(40_000.0..=85_000.0),
        good("c16_duplicate_columns.csv", "median_house_value", QUICK, (2000, 9), 2000,
            &["column `rooms_2`: is called `rooms` in the file", "column `rooms_3`: is called `rooms` in the file"]),
        good("c18_latin1.csv", "income", QUICK, (3000, 14), 3000, &["read as Windows-1252"]),
        good("c20_tab_named_csv.csv", "income", QUICK, (3000, 14), 3000, &[]),
        good("c21_pipe.txt", "income", QUICK, (3000, 14), 3000, &[]),
        good("c22_currency_thousands_percent.csv", "median_house_value", QUICK, (2000, 9), 2000,
            &["column `population`: ", "thousands separators", "column `median_income`: ", "percent signs",
                "column `median_house_value`: ", "currency signs", "features · regression"])
            .score(40_000.0..=85_000.0),
        good("c24_header_spaces.csv", "median_house_value", QUICK, (2000, 9), 2000,
            &["spaces around 7 column names removed"]),
        good("c24_header_spaces.csv", " median_house_value ", QUICK, (2000, 9), 2000, &[]),
        refused("c25_wrong_target_name.csv", "Median_House_Value",
            &["there is no column `Median_House_Value` (did you mean `median_house_value`?)"]),
        good("c26_target_leak.csv", "income", QUICK, (3000, 15), 3000,
            &["`income_code` is the target `income` under another name. Drops it",
                "`noisy_copy` alone nearly gives the target away", "`id` counts the rows: a saved row number. Drops it"])
            .score(0.9..=0.9999),
        good("c28_wide_60x4000.csv", "y", &["--time-limit", "8s"], (60, 4000), 60, &["4,000 features for 60 rows"])
            .score(0.0..=0.98),
        good("c30_mixed_booleans.csv", "y", QUICK, (3000, 2), 3000, &["14 spellings of true and false merged"])
            .score(0.84..=0.90),
        good("c32_nul_bytes.csv", "income", QUICK, (3000, 14), 3000, &["3 NUL bytes skipped"]),
        refused("c33_truncated.csv.gz", "income", &["gzip", "cut off", "nothing was read"]),
        // The last quote closes in the middle of a field: the row is ragged, and line 444 is the file's last.
        good("c34_unclosed_quote.csv", "survived", QUICK, (442, 10), 443, &["1 row", "(line 444)"]),
        good("c37_train.csv", "income", QUICK, (2500, 14), 2500, &[]),
        good("c38_extreme_scales.csv", "y", &["--max-trials", "3", "--metric", "r2"], (2000, 3), 2000, &["`denorm`"])
            .score(0.95..=1.0),
        good("c39_imbalance_8_in_40000.csv", "fraud", QUICK, (40000, 3), 40000,
            &["Class `1` has only 8 rows", "99.9 % of the rows are of class `0`"])
            .never(&["accuracy ·", "· accuracy"]),
        good("c41_injection_strings.csv", "income", QUICK, (500, 14), 500, &[]),
        good("c42_megabyte_cell.csv", "rings", QUICK, (300, 9), 300, &[]),
        good("c43_saved_index.csv", "rings", QUICK, (4177, 8), 4177, &["only counts the rows; left out"]),
        good("c45_odd_types.parquet", "y", QUICK, (200, 2), 200,
            &["column `lst`: is of type list", "column `st`: is of type struct", "column `bin`: is of type binary"]),
        refused("c47_json_named_csv.csv", "rings", &["looks like JSON"]),
        good("c50_int_target_ambiguous.csv", "y", TREES, (500, 2), 500,
            &["The task is not certain", "5 distinct integers from 1 to 5"])
            // The logarithm of 5 is 1.609: nothing better than the shares of the classes may be claimed.
            .score(1.58..=f64::MAX),
        good("c50_int_target_ambiguous.csv", "y", &["--max-trials", "3", "--task", "regression", "--metric", "r2"],
            (500, 2), 500, &["features · regression"]).score(-1.0..=0.03),
    ]
}

#[test]
fn every_file_does_what_its_manifest_says() {
    let Some(collection) = collection() else { return };
    let folder = Folder::new("dirty");
    let mut failures = Vec::new();
    for case in cases() {
        if let Err(why) = check(&case, &collection, &folder) {
            failures.push(format!("{}: {why}", case.file));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn every_file_of_the_manifest_is_checked() {
    let Some(collection) = collection() else { return };
    let manifest = std::fs::read_to_string(collection.join("manifest.csv")).unwrap();
    let named: BTreeSet<&str> = manifest.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    let cases = cases();
    // The second half of a pair has a test of its own.
    let checked = cases.iter().map(|case| case.file).chain(["c37_test_shifted_schema.csv"]).collect();
    assert_eq!(named, checked);
}

fn check(case: &Case, collection: &Path, folder: &Folder) -> Result<(), String> {
    let data = collection.join(case.file).display().to_string();
    let out = folder.text(&format!("{}.kaizen", case.file));
    let mut arguments = vec!["fit", data.as_str(), "--preset", "fast", "--json", "--out", out.as_str()];
    arguments.extend(case.options);
    if let Some(target) = case.target {
        arguments.extend(["--target", target]);
    }
    let fitted = folder.run(&arguments);
    let holds = |holds: bool, what: &str| if holds { Ok(()) } else { Err(format!("{what}\n{fitted}")) };
    holds(fitted.code == case.code, &format!("the exit code should be {}", case.code))?;
    let unsaid: Vec<_> = case.says.iter().filter(|words| !fitted.stderr.contains(**words)).collect();
    if !unsaid.is_empty() {
        let inspected = folder.run(&["inspect", &data]).stderr;
        let unsaid: Vec<_> = unsaid.into_iter().filter(|words| !inspected.contains(**words)).collect();
        holds(unsaid.is_empty(), &format!("should say {unsaid:?}; inspect says:\n{inspected}"))?;
    }
    for words in case.never.iter().chain(&["panicked", "bug in Kaizen", "NaN"]) {
        holds(!fitted.stderr.contains(words), &format!("should not say `{words}`"))?;
    }
    let is_timed = case.options.contains(&"--time-limit");
    // A model may run out of time; for no other reason may it fail.
    holds(is_timed || !fitted.stderr.contains(" failed "), "no trial should fail")?;
    // Whatever the cells hold, nobody wants them as a wall of text.
    holds(fitted.stderr.lines().all(|line| line.len() < 1_000), "a line is too long")?;
    if case.code != 0 {
        holds(
            fitted.stderr.lines().filter(|line| line.starts_with("error: ")).count() == 1,
            "one error line",
        )?;
        holds(fitted.stdout.is_empty(), "nothing on standard output")?;
        return holds(!Path::new(&out).exists(), "no artifact");
    }
    holds(fitted.shape() == Some(case.shape), &format!("rows and features should be {:?}", case.shape))?;
    let score = fitted.json()["score"]["value"].as_f64();
    let score = score.ok_or_else(|| format!("no score\n{fitted}"))?;
    holds(case.score.contains(&score), &format!("the score {score} should be in {:?}", case.score))?;
    check_predictions(case, &data, &out, &folder.run(&["predict", &out, &data]))
}

/// As many predictions as rows came in, none of them missing; no column of the training data missed, and the target
/// not looked at.
fn check_predictions(case: &Case, data: &str, out: &str, predicted: &Ended) -> Result<(), String> {
    let fail = |what: &str| Err(format!("predict {out} {data}: {what}\n{predicted}"));
    if predicted.code != 0 {
        return fail("the exit code should be 0");
    }
    let mut lines = predicted.stdout.lines();
    if lines.next() != Some("prediction") {
        return fail("the column should be called `prediction`");
    }
    let cells: Vec<&str> = lines.collect();
    if cells.len() != case.predicted {
        return fail(&format!("{} predictions for {} rows", cells.len(), case.predicted));
    }
    if cells.iter().any(|cell| cell.is_empty() || ["NaN", "inf", "-inf"].contains(cell)) {
        return fail("a prediction is missing or not finite");
    }
    if predicted.stderr.contains("IS NOT IN THE DATA") {
        return fail("a column of the training data should not be missing");
    }
    match case.target {
        Some(target) if predicted.stderr.contains(&format!("column `{}`", target.trim())) => {
            fail("should say nothing of the target")
        }
        _ => Ok(()),
    }
}

#[test]
fn another_schema_is_matched_by_name_and_said_aloud() {
    let Some(collection) = collection() else { return };
    let folder = Folder::new("shifted");
    let train = collection.join("c37_train.csv").display().to_string();
    let test = collection.join("c37_test_shifted_schema.csv").display().to_string();
    let out = folder.text("model.kaizen");
    folder.run(&["fit", &train, "--target", "income", "--max-trials", "3", "--out", &out]).expect(0);
    let predicted = folder.run(&["predict", &out, &test]).expect(0);
    assert_eq!(predicted.stdout.lines().count(), 501, "{predicted}");
    predicted.says("warning: column `capital_loss`: IS NOT IN THE DATA; all its cells count as missing");
    predicted.says("column `extra`: is not used by the model; ignored");
    predicted.says("column `workclass`: 108 cells with a level never seen before (`Martian` ×108)");
    // Ages such as `42 ` are numbers, not unreadable cells.
    predicted.is_silent_about("column `age`");
}

#[test]
fn target_encoding_does_not_flatter_itself() {
    let Some(collection) = collection() else { return };
    let folder = Folder::new("encoding");
    let data = collection.join("c07_high_cardinality_10k.csv").display().to_string();
    let out = folder.text("model.kaizen");
    let fitted = folder
        .run(&[
            "fit",
            &data,
            "--target",
            "y",
            "--max-trials",
            "3",
            "--holdout",
            "0.3",
            "--json",
            "--out",
            &out,
        ])
        .expect(0);
    let json = fitted.json();
    let (score, unseen) =
        (json["score"]["value"].as_f64().unwrap(), json["unseen"]["value"].as_f64().unwrap());
    // 6,000 held-out rows give the area under the curve a standard error of about 0.006.
    assert!(score - unseen < 0.03, "cross-validation {score}, unseen rows {unseen}");
    assert!(unseen > 0.78, "the levels say more than x alone: {unseen}");
}

#[test]
fn useless_columns_cost_nothing() {
    let Some(collection) = collection() else { return };
    let clean = collection.join("../tabular/titanic.parquet");
    let folder = Folder::new("useless");
    let out = folder.text("model.kaizen");
    let score = |path: &Path| {
        let data = path.display().to_string();
        let fitted =
            folder.run(&["fit", &data, "--target", "survived", "--max-trials", "2", "--json", "--out", &out]);
        fitted.expect(0).json()["score"]["value"].as_f64().unwrap()
    };
    let (dirty, clean) = (score(&collection.join("c14_all_null_and_constant.csv")), score(&clean));
    // `almost_const` stays, and folds are the same: what is left is the noise of one more column on 891 rows.
    assert!((dirty - clean).abs() < 0.02, "with useless columns {dirty}, without {clean}");
}

#[test]
fn cells_are_data_wherever_they_go() {
    let Some(collection) = collection() else { return };
    let folder = Folder::new("injection");
    let fit = |file: &str, target: &str| {
        let (data, out) = (collection.join(file).display().to_string(), folder.text("model.kaizen"));
        folder.run(&["fit", &data, "--target", target, "--max-trials", "2", "--out", &out]).expect(0);
        let page = folder.text("page.html");
        folder.run(&["inspect", &data, "--target", target, "--html", &page, "-q"]).expect(0);
        let inspected = std::fs::read_to_string(&page).unwrap();
        folder.run(&["report", &out, "--out", &page]).expect(0);
        [inspected, std::fs::read_to_string(&page).unwrap()]
    };
    for page in fit("c41_injection_strings.csv", "income") {
        assert!(page.contains("education_num"), "not the page of this table");
        assert!(!page.contains("<img src=x"), "an unescaped header");
        assert!(!page.contains("<script>alert"), "an unescaped cell");
    }
    for page in fit("c42_megabyte_cell.csv", "rings") {
        assert!(page.contains("rings"), "not the page of this table");
        assert!(page.len() < 600_000, "the page is {} bytes long: the long cell is in it", page.len());
    }
}
