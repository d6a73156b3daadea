//! How good what each sampler finds is, over the exhaustive tables of `shared/data/hpo` and the simulated problems.
//!
//! Run with `cargo bench -p kaizen-search --bench quality`. For the tables: the mean share of the table that is better
//! than the best configuration found (lower is better, with its standard error), over seeds. One stored evaluation
//! seed, chosen by the study's seed, is what the sampler sees; the mean over all stored seeds is what it is judged by.
//! For the simulated problems: the mean least loss.

#![allow(clippy::print_stdout, reason = "a bench prints its table")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kaizen_base::{ManualClock, Seed, Signal};
use kaizen_search::{Budget, MemoryJournal, Objective, Plan, Step, Study, samplers, schedulers};
use kaizen_space::{Config, Param, Space};
use kaizen_testkit::simulation::CASES;

const SEEDS: u64 = 20;
const BUDGETS: [u32; 2] = [50, 100];

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    println!("{:<28} {:<8} {:>6} {:>24}", "problem", "sampler", "trials", "mean (standard error)");
    for case in &CASES[..2] {
        for row in samplers::SAMPLERS {
            for trials in BUDGETS {
                let objective = Objective::minimise("loss", "");
                let found = (0..SEEDS).map(|seed| {
                    let best = search(row.make, (case.1)(), objective.clone(), trials, seed, |config, _| {
                        (case.2)(config)
                    })?;
                    Ok((case.2)(&best))
                });
                print(case.0, row.card.name, trials, &found.collect::<Result<Vec<_>, Error>>()?);
            }
        }
    }
    let folder: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "..", "..", "..", "shared", "data", "hpo"].iter().collect();
    if !folder.exists() {
        println!("skipped: the tables of shared/data/hpo are not here");
        return Ok(());
    }
    let mut all: BTreeMap<(&str, u32), Vec<f64>> = BTreeMap::new();
    for name in [
        "hpolib_naval_propulsion",
        "hpolib_protein_structure",
        "hpobench_car",
        "hpobench_credit_g",
        "hpobench_phoneme",
        "hpobench_segment",
    ] {
        let table = Table::read(&folder, name)?;
        for row in samplers::SAMPLERS {
            for trials in BUDGETS {
                let shares: Result<Vec<f64>, Error> = (0..SEEDS)
                    .map(|seed| {
                        let best = search(
                            row.make,
                            table.space.clone(),
                            table.objective.clone(),
                            trials,
                            seed,
                            |config, seed| {
                                let values = &table.values[table.index(config)];
                                values[seed as usize % values.len()]
                            },
                        )?;
                        Ok(table.share_better(&best))
                    })
                    .collect();
                let shares = shares?;
                print(name, row.card.name, trials, &shares);
                all.entry((row.card.name, trials)).or_default().extend(shares);
            }
        }
    }
    for ((sampler, trials), shares) in &all {
        print("all tables", sampler, *trials, shares);
    }
    Ok(())
}

/// The best configuration of a study, as the study sees it.
fn search(
    make: fn() -> Box<dyn samplers::Sampler>,
    space: Space,
    objective: Objective,
    trials: u32,
    seed: u64,
    value: impl Fn(&Config, u64) -> f64,
) -> Result<Config, Error> {
    let mut study = Study::new(Plan {
        space,
        objectives: vec![objective],
        sampler: make(),
        scheduler: Box::new(schedulers::Fifo),
        budget: Budget::trials(trials),
        seed: Seed(seed),
        journal: Box::new(MemoryJournal::default()),
        clock: Arc::new(ManualClock::new()),
        signal: Signal::new(),
    })?;
    while let Step::Run(task) = study.ask()? {
        study.report(task.trial, task.until, &[value(&task.config, seed)], 0.0)?;
        study.leave(task.trial, Ok(()))?;
    }
    Ok(study.history().best().ok_or("nothing was measured")?.config.clone())
}

fn print(problem: &str, sampler: &str, trials: u32, found: &[f64]) {
    let count = found.len() as f64;
    let mean = found.iter().sum::<f64>() / count;
    let variance = found.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (count - 1.0);
    println!(
        "{problem:<28} {sampler:<8} {trials:>6} {:>24}",
        format!("{mean:.6} ({:.6})", (variance / count).sqrt())
    );
}

/// An exhaustive table: a value of every configuration for each of a few evaluation seeds.
struct Table {
    space: Space,
    objective: Objective,
    /// [configuration, in the order of the space's mixed radix][evaluation seed].
    values: Vec<Vec<f64>>,
    /// Mean losses of all configurations, ascending.
    losses: Vec<f64>,
}

impl Table {
    fn read(folder: &Path, name: &str) -> Result<Self, Error> {
        let kind = name.split('_').next().ok_or("a name")?;
        let spaces: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(folder.join("space.json"))?)?;
        let described = &spaces[kind];
        let mut params = Vec::new();
        for name in described["order"].as_array().ok_or("an order")? {
            let name = name.as_str().ok_or("a name")?;
            let choices = described["choices"][name].as_array().ok_or("choices")?;
            let options: Vec<String> = choices.iter().map(ToString::to_string).collect();
            let is_ordered = choices.iter().all(serde_json::Value::is_number);
            params.push(if is_ordered {
                Param::ordinal(name, options)
            } else {
                Param::choice(name, options)
            });
        }
        let space = Space::new(params)?;
        let name = format!("{name}.csv.gz");
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(folder.join(name))?).read_to_string(&mut text)?;
        let mut values = Vec::new();
        for line in text.lines().skip(1) {
            let numbers: Result<Vec<f64>, _> = line.split(',').skip(1).map(str::parse).collect();
            values.push(numbers?);
        }
        let objective = if described["direction"] == "maximize" {
            Objective::maximise("value", "")
        } else {
            Objective::minimise("value", "")
        };
        let mut losses: Vec<f64> = values.iter().map(|row| objective.loss(mean(row))).collect();
        losses.sort_by(f64::total_cmp);
        Ok(Self { space, objective, values, losses })
    }

    /// The row of a configuration: keys are listed in the order of mixed radix numbers.
    fn index(&self, config: &Config) -> usize {
        self.space.params().iter().fold(0, |index, param| {
            let digit =
                config.get(param.name()).and_then(|value| param.domain().index_of(value)).unwrap_or(0);
            index * param.domain().value_count().unwrap_or(1) as usize + digit as usize
        })
    }

    fn share_better(&self, config: &Config) -> f64 {
        let loss = self.objective.loss(mean(&self.values[self.index(config)]));
        self.losses.partition_point(|other| *other < loss) as f64 / self.losses.len() as f64
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
