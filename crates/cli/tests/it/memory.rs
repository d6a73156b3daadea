//! Memory is budgeted before it is spent: what does not fit is left out and said, and what fits gives a model.

use std::fmt::Write as _;
use std::fs;

use crate::program::Folder;

const ROWS: usize = 6_000;
const COLUMNS: usize = 12;

/// Numbers, and a target that follows some of them.
fn table() -> String {
    let mut state = 1_u64;
    let mut uniform = || {
        // The minimal standard generator (Park and Miller 1988).
        state = state * 48_271 % 2_147_483_647;
        state as f64 / 2_147_483_647.0
    };
    let names: Vec<String> = (0..COLUMNS).map(|column| format!("x{column}")).collect();
    let mut text = names.join(",") + ",y\n";
    for _ in 0..ROWS {
        let cells: Vec<f64> = (0..COLUMNS).map(|_| uniform()).collect();
        for cell in &cells {
            let _ = write!(text, "{cell:.6},");
        }
        let noise = uniform() - 0.5;
        let _ = writeln!(
            text,
            "{}",
            if cells[0] + cells[1] * cells[2] + 0.4 * noise > 0.75 { "yes" } else { "no" }
        );
    }
    text
}

#[test]
fn a_tight_limit_leaves_out_what_is_large_and_says_so() {
    let folder = Folder::new("memory_tight");
    let (data, out) = (folder.write("rows.csv", table()), folder.text("model.kaizen"));
    let fit = ["fit", &data, "--target", "y", "--preset", "fast", "--max-trials", "7", "--out", &out];
    let fitted = folder.run(&[&fit[..], &["--memory-limit", "150MB"]].concat()).expect(0);
    fitted.says("left out: its only trial of extra_trees: needs about");
    fitted.says("of the limit of 150 MB");
    let board = folder.run(&["leaderboard", &out]).expect(0);
    assert!(board.stdout.contains("left out: 1 of 1 trials of random_forest: needs about"), "{board}");
    assert!(!board.stdout.contains("extra_trees #"), "{board}");
    // What is left is a model and not only the baseline.
    let scores = folder.run(&["evaluate", &out, &data, "--json"]).expect(0);
    assert!(scores.json()["scores"]["roc_auc"].as_f64().unwrap() > 0.9, "{scores}");
    let page = folder.text("page.html");
    folder.run(&["report", &out, "--out", &page]).expect(0);
    let page = fs::read_to_string(&page).unwrap();
    assert!(page.contains("2 of 7 trials did not fit into memory and were left out"), "the report is silent");
    assert!(page.contains("random_forest") && page.contains("of the limit of 150 MB"));
}

#[test]
fn a_table_that_does_not_fit_is_refused_in_one_line() {
    let folder = Folder::new("memory_none");
    let (data, out) = (folder.write("rows.csv", table()), folder.text("model.kaizen"));
    for limit in ["10MB", "100KB"] {
        let refused = folder
            .run(&[
                "fit",
                &data,
                "--target",
                "y",
                "--out",
                &out,
                "--max-trials",
                "2",
                "--memory-limit",
                limit,
            ])
            .expect(3);
        assert_eq!(
            refused.stderr.lines().last().map(|line| line.starts_with("error: ")),
            Some(true),
            "{refused}"
        );
        refused.says("memory");
        refused.says("limit");
        assert!(!folder.path("model.kaizen").exists() && !folder.path("model.kaizen.run").exists());
    }
}
