//! Same data, seed and number of trials: the same bytes, on any number of threads and after any interruption.

use std::fs;
use std::path::Path;

use crate::program::{Folder, shipped};

const TRIALS: usize = 6;

fn fit(folder: &Folder, out: &str, more: &[&str]) -> Vec<u8> {
    let data = shipped("penguins.csv");
    let out = folder.text(out);
    let trials = TRIALS.to_string();
    let mut arguments = vec!["fit", &data, "--target", "species", "--max-trials", &trials, "--out", &out];
    arguments.extend(more);
    folder.run(&arguments).expect(0);
    fs::read(&out).unwrap()
}

/// Sizes, and what stands around the first byte that differs.
fn difference(one: &[u8], other: &[u8]) -> String {
    let first = one.iter().zip(other).position(|(a, b)| a != b).unwrap_or_else(|| one.len().min(other.len()));
    let around = |bytes: &[u8]| {
        let from = first.saturating_sub(200);
        let to = (first + 200).min(bytes.len());
        String::from_utf8_lossy(&bytes[from..to]).into_owned()
    };
    format!(
        "{} and {} bytes, differing from byte {first}:\n{}\n---\n{}",
        one.len(),
        other.len(),
        around(one),
        around(other)
    )
}

#[track_caller]
fn assert_same(one: &[u8], other: &[u8], what: &str) {
    assert!(one == other, "{what}: {}", difference(one, other));
}

#[test]
fn threads_do_not_change_a_byte_and_seeds_do() {
    let folder = Folder::new("threads");
    let one = fit(&folder, "one.kaizen", &["--threads", "1"]);
    let two = fit(&folder, "two.kaizen", &["--threads", "2"]);
    let three = fit(&folder, "three.kaizen", &["--threads", "3"]);
    let seeded = fit(&folder, "seeded.kaizen", &["--threads", "2", "--seed", "1"]);
    assert_same(&one, &two, "1 and 2 threads");
    assert_same(&one, &three, "1 and 3 threads");
    assert_ne!(one, seeded, "the seed changes nothing");
}

#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    let folder = Folder::new("killed");
    let whole = fit(&folder, "model.kaizen", &["--threads", "2"]);
    let kept = folder.path("whole.kaizen");
    fs::rename(folder.path("model.kaizen"), &kept).unwrap();
    let (data, out, trials) = (shipped("penguins.csv"), folder.text("model.kaizen"), TRIALS.to_string());
    let run = folder.text("model.kaizen.run");
    let asked =
        ["fit", &data, "--target", "species", "--max-trials", &trials, "--out", &out, "--threads", "2"];
    // After the first, third and last trial, in the middle of what comes next. The line of a trial holds its number.
    for mark in [" #0 ", " #2 ", " #5 "] {
        assert!(folder.kill_at(&asked, mark), "no line with `{mark}`");
        assert!(!Path::new(&out).exists(), "killed at `{mark}`, and yet there is an artifact");
        assert!(Path::new(&run).join("request.json").exists(), "killed at `{mark}`: no run folder");
        let resumed = fit(&folder, "model.kaizen", &["--threads", "2", "--resume", &run]);
        assert_same(&whole, &resumed, &format!("killed at `{mark}`"));
        assert!(!Path::new(&run).exists(), "the run folder stays behind");
        fs::remove_file(&out).unwrap();
    }
}

#[test]
fn a_torn_journal_costs_only_its_last_line() {
    let folder = Folder::new("torn");
    let whole = fit(&folder, "model.kaizen", &["--threads", "2"]);
    fs::remove_file(folder.path("model.kaizen")).unwrap();
    let (data, out, trials) = (shipped("penguins.csv"), folder.text("model.kaizen"), TRIALS.to_string());
    let run = folder.text("model.kaizen.run");
    let asked =
        ["fit", &data, "--target", "species", "--max-trials", &trials, "--out", &out, "--threads", "2"];

    // The power went in the middle of a line.
    assert!(folder.kill_at(&asked, " #3 "));
    let journal = Path::new(&run).join("journal.jsonl");
    let bytes = fs::read(&journal).unwrap();
    fs::write(&journal, &bytes[..bytes.len() - 7]).unwrap();
    let resumed = fit(&folder, "model.kaizen", &["--threads", "2", "--resume", &run]);
    assert_same(&whole, &resumed, "a torn journal");
    fs::remove_file(&out).unwrap();
}

#[test]
fn a_run_is_resumed_only_by_the_request_that_began_it() {
    let folder = Folder::new("other_request");
    let (data, out) = (shipped("penguins.csv"), folder.text("model.kaizen"));
    let run = folder.text("model.kaizen.run");
    let asked = ["fit", &data, "--target", "species", "--max-trials", "6", "--out", &out];
    assert!(folder.kill_at(&asked, " #1 "));
    let other = folder
        .run(&["fit", &data, "--target", "island", "--max-trials", "6", "--out", &out, "--resume", &run])
        .expect(2);
    other.says("it was started with target \"species\", now it is \"island\"");
    let seeded = folder
        .run(&["fit", &data, "--target", "species", "--seed", "5", "--out", &out, "--resume", &run])
        .expect(2);
    seeded.says("seed");
    // A refusal leaves the run as it was.
    folder.run(&[&asked[..], &["--resume", &run]].concat()).expect(0);
}

#[test]
fn a_second_gives_a_model_that_predicts() {
    let folder = Folder::new("second");
    let (data, out) = (shipped("penguins.csv"), folder.text("model.kaizen"));
    let fitted = folder
        .run(&["fit", &data, "--target", "species", "--time-limit", "1s", "--json", "--out", &out])
        .expect(0);
    assert!(fitted.json()["trials"].as_u64().unwrap() >= 1, "{fitted}");
    let predicted = folder.run(&["predict", &out, &data]).expect(0);
    assert_eq!(predicted.stdout.lines().count(), 345, "{predicted}");
}
