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
    // A line in the midst that cannot be read is no torn end: what followed it would be lost without a word.
    let mut damaged = bytes.clone();
    let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 3;
    damaged[second] = b'#';
    fs::write(&journal, damaged).unwrap();
    let refused = folder.run(&[&asked[..], &["--resume", &run]].concat()).expect(2);
    refused.says("line 2 of the journal is damaged");
    refused.says("without --resume the run begins anew");
    fs::write(&journal, &bytes[..bytes.len() - 7]).unwrap();
    let resumed = fit(&folder, "model.kaizen", &["--threads", "2", "--resume", &run]);
    assert_same(&whole, &resumed, "a torn journal");
    fs::remove_file(&out).unwrap();
}

#[test]
fn stages_that_the_disk_lost_are_fitted_again_to_the_same_bytes() {
    let folder = Folder::new("lost");
    let whole = fit(&folder, "model.kaizen", &["--threads", "2"]);
    fs::remove_file(folder.path("model.kaizen")).unwrap();
    let (data, out, trials) = (shipped("penguins.csv"), folder.text("model.kaizen"), TRIALS.to_string());
    let run = folder.text("model.kaizen.run");
    let asked =
        ["fit", &data, "--target", "species", "--max-trials", &trials, "--out", &out, "--threads", "2"];
    assert!(folder.kill_at(&asked, " #4 "));
    let stage = |trial: u32| Path::new(&run).join(format!("trials/{trial:06}-000.kaizen"));
    // One is gone, one is torn, one is another trial's.
    let first = fs::read(stage(0)).unwrap();
    fs::remove_file(stage(0)).unwrap();
    let torn = fs::read(stage(1)).unwrap();
    fs::write(stage(1), &torn[..torn.len() / 2]).unwrap();
    fs::write(stage(2), first).unwrap();
    let resumed = folder.run(&[&asked[..], &["--resume", &run]].concat()).expect(0);
    assert_same(&whole, &fs::read(&out).unwrap(), "lost stages");
    for label in ["dummy #0", "linear #1", "boosted_trees #2"] {
        resumed.says(&format!("`{label}` is fitted again"));
    }
    resumed.is_silent_about("#3` is fitted again");
}

#[test]
fn a_run_killed_before_it_had_anything_to_keep_simply_begins() {
    let folder = Folder::new("early");
    let (data, out) = (shipped("penguins.csv"), folder.text("model.kaizen"));
    let run = folder.text("model.kaizen.run");
    let asked = ["fit", &data, "--target", "species", "--max-trials", "2", "--out", &out];
    let begun = folder.run(&[&asked[..], &["--resume", &run]].concat()).expect(0);
    begun.says("nothing was interrupted in");
    let alone = fs::read(&out).unwrap();
    folder.run(&asked).expect(0);
    assert_same(&alone, &fs::read(&out).unwrap(), "with and without --resume");
    // A folder that cannot be this run's is a mistake.
    let elsewhere = folder.text("other.kaizen.run");
    let refused = folder.run(&[&asked[..], &["--resume", &elsewhere]].concat()).expect(2);
    refused.says("there is no such folder");
}

#[test]
fn an_interrupted_run_is_not_thrown_away_by_one_begun_anew() {
    let folder = Folder::new("anew");
    let (data, out) = (shipped("penguins.csv"), folder.text("model.kaizen"));
    let asked = ["fit", &data, "--target", "species", "--max-trials", "4", "--out", &out];
    assert!(folder.kill_at(&asked, " #1 "));
    let other = ["fit", &data, "--target", "island", "--max-trials", "1", "--out", &out];
    let begun = folder.run(&other).expect(0);
    begun.says("an interrupted run of this --out was moved to");
    let old = folder.text("model.kaizen.run.old");
    let resumed = folder.run(&[&asked[..], &["--resume", &old]].concat()).expect(0);
    resumed.is_silent_about("is fitted again");
    assert!(!Path::new(&old).exists());
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
