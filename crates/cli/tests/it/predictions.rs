//! Predictions: as many as rows came in, in their order, in every format.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{Folder, shipped};

fn fitted(folder: &Folder, target: &str) -> String {
    let (data, out) = (shipped("penguins.csv"), folder.text("model.kaizen"));
    folder.run(&["fit", &data, "--target", target, "--max-trials", "3", "--out", &out]).expect(0);
    out
}

fn penguins() -> String {
    fs::read_to_string(shipped("penguins.csv")).unwrap()
}

#[test]
fn rows_keep_their_number_and_order_and_the_target_is_not_looked_at() {
    let folder = Folder::new("order");
    let model = fitted(&folder, "species");
    let all = folder.run(&["predict", &model, &shipped("penguins.csv"), "--proba"]).expect(0);
    all.is_silent_about("species");
    let mut lines = all.stdout.lines();
    assert_eq!(lines.next(), Some("prediction,proba_Adelie,proba_Chinstrap,proba_Gentoo"));
    let rows: Vec<&str> = lines.collect();
    assert_eq!(rows.len(), 344);
    let truth = penguins();
    let right = truth.lines().skip(1).zip(&rows).filter(|(a, b)| a.split(',').next() == b.split(',').next());
    assert!(right.count() > 330, "the model is hardly better than chance, or the order is lost");

    // The same rows backwards, a wrong target in every one.
    let mut lines: Vec<String> = truth.lines().map(str::to_owned).collect();
    let header = lines.remove(0);
    lines.reverse();
    let lines: Vec<String> =
        lines.iter().map(|line| "Adelie,".to_owned() + line.split_once(',').unwrap().1).collect();
    let backwards = folder.write("backwards.csv", header + "\n" + &lines.join("\n"));
    let backwards = folder.run(&["predict", &model, &backwards, "--proba"]).expect(0);
    let reversed: Vec<&str> = backwards.stdout.lines().skip(1).collect();
    assert!(rows.iter().rev().eq(reversed.iter()), "{backwards}");
}

#[test]
fn probabilities_fit_the_class() {
    let folder = Folder::new("probabilities");
    let model = fitted(&folder, "species");
    let classes = ["Adelie", "Chinstrap", "Gentoo"];
    let predicted = folder.run(&["predict", &model, &shipped("penguins.csv"), "--proba"]).expect(0);
    for row in predicted.stdout.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let shares: Vec<f64> = cells[1..].iter().map(|cell| cell.parse().unwrap()).collect();
        let sum: f64 = shares.iter().sum();
        assert!((sum - 1.0).abs() < 1e-9 && shares.iter().all(|share| (0.0..=1.0).contains(share)), "{row}");
        let most = (0..3).max_by(|&a, &b| shares[a].total_cmp(&shares[b])).unwrap();
        assert_eq!(cells[0], classes[most], "{row}");
    }
}

#[test]
fn every_format_holds_the_same_predictions() {
    let folder = Folder::new("formats");
    let model = fitted(&folder, "species");
    let data = shipped("penguins.csv");
    let csv = folder.run(&["predict", &model, &data, "--proba"]).expect(0).stdout;
    let to = |name: &str| {
        let out = folder.text(name);
        let said = folder.run(&["predict", &model, &data, "--proba", "--out", &out]).expect(0);
        said.says(&format!("344 rows predicted, written to {out}"));
        assert!(said.stdout.is_empty(), "{said}");
        fs::read_to_string(&out).unwrap()
    };
    assert_eq!(to("rows.csv"), csv);
    assert_eq!(to("rows.tsv"), csv.replace(',', "\t"));
    let objects = to("rows.jsonl");
    assert_eq!(objects.lines().count(), 344);
    for (object, row) in objects.lines().zip(csv.lines().skip(1)) {
        let object: Value = serde_json::from_str(object).unwrap();
        let cells: Vec<&str> = row.split(',').collect();
        assert_eq!(object["prediction"], cells[0]);
        let share = object["proba_Gentoo"].as_f64().unwrap();
        assert_eq!(share, cells[3].parse::<f64>().unwrap());
    }
}

#[test]
fn parquet_holds_the_same_predictions_with_their_types() {
    let folder = Folder::new("parquet");
    let model = fitted(&folder, "species");
    let data = shipped("penguins.csv");
    let csv = folder.run(&["predict", &model, &data, "--proba"]).expect(0).stdout;
    let out = folder.text("rows.parquet");
    let said = folder.run(&["predict", &model, &data, "--proba", "--out", &out]).expect(0);
    said.says("344 rows predicted, written to");
    let bytes = fs::read(&out).unwrap();
    let read = kaizen_data::read_bytes("rows.parquet", bytes).unwrap().table;
    let names: Vec<&str> = read.columns().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names.join(","), csv.lines().next().unwrap());
    for (row, line) in csv.lines().skip(1).enumerate() {
        for (column, cell) in read.columns().iter().zip(line.split(',')) {
            match &column.values {
                kaizen_table::Values::Number(number) => {
                    assert_eq!(number.values[row], cell.parse::<f64>().unwrap(), "{line}");
                }
                _ => assert_eq!(column.cell_text(row).as_deref(), Some(cell), "{line}"),
            }
        }
    }
    // What cannot be written is said before anything is read.
    let refused = folder.run(&["predict", &model, &data, "--out", &folder.text("rows.xlsx")]).expect(2);
    refused.says("--out: predictions are written as .csv, .tsv, .jsonl or .parquet, not as .xlsx");
    assert!(!folder.path("rows.xlsx").exists());
}

#[test]
fn standard_input_is_a_file_like_any_other() {
    let folder = Folder::new("input");
    let model = fitted(&folder, "species");
    let data = shipped("penguins.csv");
    let from_file = folder.run(&["predict", &model, &data]).expect(0).stdout;
    let from_input = folder.run_with_input(&["predict", &model, "-"], Path::new(&data)).expect(0).stdout;
    assert_eq!(from_file, from_input);
    let out = folder.text("piped.kaizen");
    let asked = ["fit", "-", "--target", "species", "--max-trials", "3", "--out", &out];
    folder.run_with_input(&asked, Path::new(&data)).expect(0);
    assert_eq!(folder.run(&["predict", &out, &data]).expect(0).stdout, from_file);
}

#[test]
fn what_was_never_seen_is_predicted_all_the_same() {
    let folder = Folder::new("unseen");
    let model = fitted(&folder, "species");
    let rows = folder.write(
        "rows.csv",
        "year,extra,body_mass_g,island,bill_length_mm,bill_depth_mm,flipper_length_mm,sex\n\
         2031,x,4000,Atlantis,40,18,190,female\n\
         ,y,,,,,,\n\
         2008,z,heavy,Biscoe,1e308,-5,190,male\n",
    );
    let predicted = folder.run(&["predict", &model, &rows, "--proba"]).expect(0);
    assert_eq!(predicted.stdout.lines().count(), 4, "{predicted}");
    assert!(!predicted.stdout.contains("NaN"), "{predicted}");
    predicted.says("column `island`: 1 cell with a level never seen before (`Atlantis`");
    predicted.says("column `extra`: is not used by the model; ignored");
    predicted.says("column `body_mass_g`: 1 cell that cannot be read as number became missing (`heavy`");
}

#[test]
fn numbers_are_predicted_as_numbers() {
    let folder = Folder::new("numbers");
    let model = fitted(&folder, "body_mass_g");
    let data = shipped("penguins.csv");
    let predicted = folder.run(&["predict", &model, &data]).expect(0);
    let values: Vec<f64> = predicted.stdout.lines().skip(1).map(|line| line.parse().unwrap()).collect();
    assert_eq!(values.len(), 344);
    assert!(values.iter().all(|value| (2_000.0..=7_500.0).contains(value)), "{predicted}");
    let scores = folder.run(&["evaluate", &model, &data, "--json"]).expect(0);
    // Two penguins were not weighed.
    scores.says("2 rows without a target are left out");
    let json = scores.json();
    assert_eq!(json["rows"], 342);
    assert!(json["scores"]["r2"].as_f64().unwrap() > 0.8, "{scores}");
}

#[test]
fn the_artifact_alone_tells_its_leaderboard_and_report() {
    let folder = Folder::new("alone");
    let model = fitted(&folder, "species");
    let board = folder.run(&["leaderboard", &model, "--json"]).expect(0).json();
    let board = board.as_array().unwrap();
    assert_eq!(board.len(), 3);
    let losses: Vec<f64> = board.iter().map(|line| line["value"].as_f64().unwrap()).collect();
    assert!(losses.is_sorted(), "best first, by log loss: {losses:?}");
    let shares: f64 = board.iter().map(|line| line["weight"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-9, "the shares of the blend: {shares}");
    let shown = folder.run(&["leaderboard", &model]).expect(0);
    assert_eq!(shown.stdout.lines().count(), 4, "{shown}");
    let page = folder.text("page.html");
    folder.run(&["report", &model, "--out", &page]).expect(0);
    let page = fs::read_to_string(&page).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>"), "{}", &page[..page.len().min(200)]);
    for words in ["species", "log_loss", "boosted_trees", ">predict</span>"] {
        assert!(page.contains(words), "the report says nothing of {words}");
    }
    // One file: nothing is fetched.
    assert!(!page.contains("src=\"http") && !page.contains("<link"), "the report is not self-contained");
}
