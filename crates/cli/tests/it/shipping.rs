//! What is shipped: within the limits on time and size, by default and as asked.

use std::fmt::Write as _;

use crate::program::Folder;

/// Rows whose class follows a word and a number.
fn notes(count: usize) -> String {
    let words = ["good", "kind", "bad", "poor"];
    let mut text = "note,x,class\n".to_owned();
    for row in 0..count {
        let (word, x) = (words[row * 7 % 4], (row * 37 % 101) as f64 / 10.0);
        let noise = (row * 71 % 97) as f64 / 97.0 - 0.5;
        let class = if (row * 7 % 4 < 2) == (x + noise > 2.0) { "yes" } else { "no" };
        let _ = writeln!(text, "it was a {word} day number {row} in our town,{x},{class}");
    }
    text
}

/// Rows whose value is a wave of one column, which a line misses, and a plane of ten, which trees only cut into steps.
fn waves(count: usize) -> String {
    let mut state = 1_u32;
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 24) - 0.5
    };
    let mut text = "a,b,c,d,e,f,g,h,i,j,value\n".to_owned();
    for _ in 0..count {
        let cells: Vec<f64> = (0..10).map(|_| uniform()).collect();
        let t = 2.0 * cells[0];
        let wave = 2.0 * (4.0 * t * t * t - 3.0 * t);
        let value = wave + 3.0 * cells.iter().sum::<f64>() + 0.2 * uniform();
        for cell in cells {
            let _ = write!(text, "{cell},");
        }
        let _ = writeln!(text, "{value}");
    }
    text
}

#[test]
fn text_is_fitted_within_the_default_latency() {
    let folder = Folder::new("words");
    let (data, out) = (folder.write("rows.csv", notes(400)), folder.text("model.kaizen"));
    let fit = ["fit", &data, "--target", "class", "--max-trials", "5", "--out", &out];
    folder.run(&fit).expect(0);
    let leaderboard = folder.run(&["leaderboard", &out, "--json"]).expect(0).json();
    let rows = leaderboard["leaderboard"].as_array().or(leaderboard.as_array()).unwrap().clone();
    let shipped: f64 = rows
        .iter()
        .filter(|row| row["weight"].as_f64() > Some(0.0))
        .map(|row| row["predict_microseconds"].as_f64().unwrap())
        .sum();
    assert!(shipped > 0.0 && shipped < 100.0, "{shipped} µs a row");
    assert!(std::fs::metadata(&out).unwrap().len() < 20_000_000);
}

#[test]
fn the_best_preset_tries_a_second_layer_and_stays_reproducible() {
    let folder = Folder::new("layers");
    let data = folder.write("rows.csv", waves(1_200));
    let fit = |out: &str, threads: &str| {
        let out = folder.text(out);
        let run = [
            "fit",
            &data,
            "--target",
            "value",
            "--preset",
            "best",
            "--max-trials",
            "3",
            "--threads",
            threads,
            "--out",
            &out,
        ];
        folder.run(&run).expect(0);
        std::fs::read(out).unwrap()
    };
    let one = fit("one.kaizen", "1");
    assert!(one == fit("two.kaizen", "2"), "the bytes depend on the number of threads");
    let listed = folder.run(&["leaderboard", &folder.text("one.kaizen")]).expect(0);
    // What the line leaves is the wave, which trees find at once.
    assert!(listed.stdout.contains("on the predictions of others"), "{listed}");
    let predicted = folder.run(&["predict", &folder.text("one.kaizen"), &data]).expect(0);
    assert_eq!(predicted.stdout.lines().count(), 1_201);
}
