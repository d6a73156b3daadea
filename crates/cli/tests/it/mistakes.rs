//! What people get wrong, what they are told, and with which exit code.

use std::fs;

use crate::program::{Folder, shipped};

/// Nothing was written where a command failed.
#[track_caller]
fn refused(folder: &Folder, arguments: &[&str], code: i32, says: &[&str]) {
    let ended = folder.run(arguments).expect(code);
    for words in says {
        ended.says(words);
    }
    assert!(ended.stdout.is_empty(), "{ended}");
    ended.is_silent_about("panicked");
    ended.is_silent_about("bug in Kaizen");
}

fn fitted(folder: &Folder) -> String {
    let (data, out) = (shipped("penguins.csv"), folder.text("model.kaizen"));
    folder.run(&["fit", &data, "--target", "species", "--max-trials", "2", "--out", &out]).expect(0);
    out
}

#[test]
fn help_says_what_there_is() {
    let folder = Folder::new("help");
    let help = folder.run(&["--help"]).expect(0);
    assert!(help.stderr.is_empty(), "{help}");
    let expected = "\
From a raw table to a validated, explained, signed model, and on to its predictions

Usage: kaizen [OPTIONS] <COMMAND>

Commands:
  fit          Find, validate and save the best model for a table within the time you allow
  predict      Predict the rows of a table with a saved model
  evaluate     Score a saved model on rows whose target is known
  inspect      Say what is in a table, what is wrong with it, and what Kaizen would do about it
  leaderboard  List the models that were tried, best first
  report       Write the report of a saved model as one HTML file
  list         List learners, transforms, metrics, samplers and schedulers
  help         Print this message or the help of the given subcommand(s)
";
    assert!(help.stdout.starts_with(expected), "{help}");
    let fit = folder.run(&["fit", "--help"]).expect(0);
    for option in [
        "--target",
        "--task",
        "--metric",
        "--time-limit",
        "--memory-limit",
        "--max-trials",
        "--threads",
        "--seed",
        "--preset",
        "--test",
        "--holdout",
        "--group",
        "--time-column",
        "--weight",
        "--ignore",
        "--monotone",
        "--max-latency",
        "--max-size",
        "--resume",
        "--out",
    ] {
        assert!(fit.stdout.contains(&format!("{option} <")), "no {option} in {fit}");
    }
    let version = folder.run(&["--version"]).expect(0);
    assert_eq!(version.stdout.trim_end(), concat!("kaizen ", env!("CARGO_PKG_VERSION")));
    let bare = folder.run(&[]).expect(2);
    bare.says("Usage: kaizen");
}

#[test]
fn options_that_cannot_be_read_are_the_persons() {
    let folder = Folder::new("options");
    let data = shipped("penguins.csv");
    let with = |option: &str, value: &str, says: &[&str]| {
        refused(&folder, &["fit", &data, "--target", "species", option, value], 2, says);
    };
    with("--time-limit", "soon", &["'soon'", "--time-limit", "write a time such as 60s, 5m or 2h"]);
    with("--time-limit", "0s", &["write a time such as"]);
    with("--memory-limit", "lots", &["write a size such as 4GiB or 500MB"]);
    with("--holdout", "20", &["write a share between 0 and 1, such as 0.2"]);
    with("--monotone", "year", &["write COLUMN=+1 (rising) or COLUMN=-1 (falling)"]);
    with("--preset", "fastest", &["fast, balanced, best, interpretable"]);
    with("--trails", "5", &["a similar argument exists: '--max-trials'"]);
    refused(&folder, &["fits", &data], 2, &["'fits'", "'fit'"]);
    refused(&folder, &["fit"], 2, &["<DATA>"]);
}

#[test]
fn names_that_are_not_there_come_with_those_that_are() {
    let folder = Folder::new("names");
    let (data, out) = (shipped("penguins.csv"), folder.text("model.kaizen"));
    let with = |more: &[&str], says: &[&str]| {
        let mut arguments = vec!["fit", &data, "--max-trials", "1", "--out", &out];
        arguments.extend(more);
        refused(&folder, &arguments, 2, says);
        assert!(!folder.path("model.kaizen").exists());
    };
    with(
        &["--target", "Species"],
        &[
            "penguins.csv: there is no column `Species` (did you mean `species`?)",
            "its columns are species, island",
        ],
    );
    with(&["--target", "species", "--metric", "rocauc"], &["--metric", "`rocauc`", "did you mean `roc_auc"]);
    with(&["--target", "species", "--metric", "rmse"], &["--metric", "rmse", "multiclass"]);
    with(&["--target", "species", "--ignore", "years"], &["`years`", "did you mean `year`?"]);
    with(&["--target", "species", "--group", "isle"], &["`isle`"]);
    with(&["--target", "species", "--monotone", "island=+1"], &["--monotone island", "numbers"]);
    with(&["--target", "species", "--task", "binary"], &["3 classes", "--task multiclass"]);
    with(&["--target", "species", "--task", "regression"], &["species"]);
}

#[test]
fn files_that_are_not_there_or_not_readable() {
    let folder = Folder::new("files");
    let (data, out) = (shipped("penguins.csv"), folder.text("model.kaizen"));
    refused(&folder, &["fit", "no/such.csv", "--out", &out], 2, &["no/such.csv", "no such file"]);
    refused(&folder, &["fit", "no/such/*.csv", "--out", &out], 2, &["no file matches this pattern"]);
    refused(&folder, &["inspect", "no/such.csv"], 2, &["no such file"]);
    let missing = folder.text("missing.kaizen");
    refused(&folder, &["predict", &missing, &data], 2, &["missing.kaizen", "no such file"]);
    // Folders on the way are made; a file in the way is for the machine's owner to move.
    let nowhere = folder.text("nowhere/deep.kaizen");
    let lost = folder.write("file", "not a folder");
    let below = format!("{lost}/model.kaizen");
    let fit = ["fit", data.as_str(), "--target", "species", "--max-trials", "1", "--out"];
    refused(&folder, &[&fit[..], &[&below]].concat(), 3, &["file/model.kaizen"]);
    folder.run(&[&fit[..], &[&nowhere]].concat()).expect(0);
    let model = fitted(&folder);
    refused(&folder, &["predict", &model, &data, "--out", &below], 3, &["file/model.kaizen"]);
    refused(&folder, &["predict", &model, "no/such.csv"], 2, &["no such file"]);
}

#[test]
fn an_output_that_cannot_be_written_is_said_before_the_work() {
    let folder = Folder::new("outputs");
    let data = shipped("penguins.csv");
    let there = folder.text("folder");
    fs::create_dir(&there).unwrap();
    let fit = ["fit", data.as_str(), "--target", "species", "--max-trials", "1", "--out"];
    let refused = folder.run(&[&fit[..], &[&there]].concat()).expect(2);
    refused.says("folder: this is a folder; --out names the file of the model");
    refused.is_silent_about("#0");
    assert!(!folder.path("folder.run").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_or_closed_standard_output_is_the_machines_or_nobodys_fault() {
    let folder = Folder::new("full");
    let model = fitted(&folder);
    let data = shipped("penguins.csv");
    let commands = [
        vec!["list"],
        vec!["leaderboard", &model],
        vec!["leaderboard", &model, "--json"],
        vec!["inspect", &data],
        vec!["evaluate", &model, &data],
        vec!["predict", &model, &data],
    ];
    for arguments in commands {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = folder.command(&arguments).stdout(full).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
        assert!(said.contains("error: standard output: "), "{arguments:?}: {said}");
        // A reader that has left is nobody's fault.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = folder.command(&arguments).stdout(writer).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        // Nor is it one that nobody listens to what is said.
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = folder.command(&arguments).stderr(full).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn files_that_are_no_models() {
    let folder = Folder::new("no_models");
    let data = shipped("penguins.csv");
    for command in ["predict", "evaluate"] {
        refused(&folder, &[command, &data, &data], 2, &["penguins.csv: this is not a Kaizen artifact"]);
    }
    for command in ["leaderboard", "report"] {
        refused(&folder, &[command, &data], 2, &["this is not a Kaizen artifact"]);
    }
    let empty = folder.write("empty.kaizen", "");
    refused(&folder, &["predict", &empty, &data], 2, &["empty.kaizen", "not a Kaizen artifact"]);

    let model = fitted(&folder);
    let whole = fs::read(&model).unwrap();
    for share in [10, 50, 90, 99] {
        let cut = folder.write("cut.kaizen", &whole[..whole.len() * share / 100]);
        refused(&folder, &["predict", &cut, &data], 2, &["cut.kaizen"]);
    }
    // One byte in the middle: digests tell.
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x40;
    let damaged = folder.write("damaged.kaizen", damaged);
    refused(&folder, &["predict", &damaged, &data], 2, &["damaged.kaizen", "damaged"]);
}

#[test]
fn tables_that_a_model_does_not_know() {
    let folder = Folder::new("other_tables");
    let model = fitted(&folder);
    let other = folder.write("other.csv", "a,b\n1,2\n3,4\n");
    refused(&folder, &["predict", &model, &other], 2, &["other.csv", "island"]);
    let unlabelled = folder.write("unlabelled.csv", without_target());
    refused(&folder, &["evaluate", &model, &unlabelled], 2, &["unlabelled.csv", "species"]);
    let strange = folder.write(
        "strange.csv",
        fs::read_to_string(shipped("penguins.csv")).unwrap().replacen("Adelie", "Emperor", 1),
    );
    refused(
        &folder,
        &["evaluate", &model, &strange],
        2,
        &["row 1", "`Emperor`", "Adelie, Chinstrap, Gentoo"],
    );
}

fn without_target() -> String {
    let text = fs::read_to_string(shipped("penguins.csv")).unwrap();
    text.lines().map(|line| line.split_once(',').unwrap().1.to_owned() + "\n").collect()
}

#[test]
fn limits_on_the_model_are_gates() {
    let folder = Folder::new("gates");
    let (data, out) = (shipped("penguins.csv"), folder.text("model.kaizen"));
    let fit = ["fit", data.as_str(), "--target", "species", "--max-trials", "2", "--out", out.as_str()];
    refused(&folder, &[&fit[..], &["--max-size", "1KiB"]].concat(), 4, &["--max-size", "allowed are 1024"]);
    refused(&folder, &[&fit[..], &["--max-latency", "0.001us"]].concat(), 4, &["--max-latency"]);
    assert!(!folder.path("model.kaizen").exists());
}

#[test]
fn quiet_is_quiet_but_not_about_errors() {
    let folder = Folder::new("quiet");
    let (data, out) = (shipped("penguins.csv"), folder.text("model.kaizen"));
    let quiet = folder
        .run(&["fit", &data, "--target", "species", "--max-trials", "1", "--out", &out, "--quiet"])
        .expect(0);
    assert!(quiet.stderr.is_empty() && quiet.stdout.is_empty(), "{quiet}");
    let wrong = folder.run(&["fit", &data, "--target", "sort", "--quiet"]).expect(2);
    assert!(wrong.stderr.starts_with("error: "), "{wrong}");
    assert_eq!(wrong.stderr.lines().count(), 1, "{wrong}");
}
