//! Pipelines end to end on a table with numbers, missing cells, categories and words.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod stacking;

use std::sync::Arc;

use kaizen_base::{Flow, ManualClock, Seed, Signal};
use kaizen_learners::LEARNERS;
use kaizen_model::{Dataset, Model as _, Shape, Task, View};
use kaizen_search::samplers::{Portfolio, Random};
use kaizen_search::{
    Budget, Ctx, Failure, Fidelity, MemoryJournal, Plan, Problem as _, State, Study, TrialId,
};
use kaizen_table::{Column, RowLabels, SplitPlan, Table};
use kaizen_tabular::ensemble::fit_temperature;
use kaizen_tabular::pipeline::Passage;
use kaizen_tabular::pipeline_space::Columns;
use kaizen_tabular::{
    Calibration, CrossValidation, Ensemble, FirstLook, FittedPipeline, InMemory, Ladder, Member,
    MemoryBudget, PipelineSpace, Preparation, Scoring, TabularProblem, Unhurried, portfolio,
};

const ROWS: usize = 240;
const FOLDS: usize = 3;

/// The class follows a number, a category and a word; one cell in ten is missing.
fn table() -> (Table, Vec<f64>) {
    let mut rng = Seed(5).rng();
    let (mut x, mut city, mut words, mut truth) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROWS {
        let number = rng.normal();
        let place = rng.below(3);
        let good = rng.below(2) == 1;
        let score = number + [0.0, 1.5, -1.5][place] + if good { 1.0 } else { -1.0 } + 0.3 * rng.normal();
        x.push(if rng.below(10) == 0 { f64::NAN } else { number });
        city.push((rng.below(10) > 0).then_some(["here", "there", "far"][place]));
        words.push(Some(format!("a {} day in town", if good { "good" } else { "bad" })));
        truth.push(f64::from(u8::from(score > 0.0)));
    }
    let columns = vec![Column::number("x", x), Column::category("city", &city), Column::text("words", words)];
    (Table::from_columns(columns).unwrap(), truth)
}

fn problem(metric: &str) -> TabularProblem {
    let (table, truth) = table();
    let codes: Vec<u32> = truth.iter().map(|&class| class as u32).collect();
    let labels = RowLabels { strata: Some(&codes), ..RowLabels::default() };
    let folds = SplitPlan::Shuffled { folds: FOLDS, repeats: 2 }.cut(ROWS, labels, Seed(1)).unwrap();
    let data = Dataset::new(table, Task::Binary, Arc::new(truth), None);
    let shape = Shape {
        row_count: ROWS * 2 / 3,
        column_count: 3,
        category_count: 1,
        text_count: 1,
        task: Task::Binary,
    };
    let space = PipelineSpace::new(LEARNERS.iter().copied(), &shape, Columns::of(&data.table)).unwrap();
    let scoring = Scoring::new(kaizen_metrics::by_name(metric).unwrap(), &data);
    let cv = Arc::new(CrossValidation { data: Arc::new(data), folds, folds_per_repeat: FOLDS });
    TabularProblem::new(cv, space, scoring, Box::new(Unhurried), Box::new(InMemory))
}

fn study(problem: &TabularProblem, trials: u32) -> Study {
    let starts = portfolio::configs(&problem.pipelines, ROWS);
    let full = starts.len();
    let mut study = Study::new(Plan {
        space: problem.space().clone(),
        objectives: problem.objectives().to_vec(),
        sampler: Box::new(Portfolio::new(starts, Box::new(Random))),
        scheduler: Box::new(Ladder::new(FOLDS, 2, FirstLook::Fold, full)),
        budget: Budget::trials(trials),
        seed: Seed(3),
        journal: Box::new(MemoryJournal::default()),
        clock: Arc::new(ManualClock::new()),
        signal: Signal::new(),
    })
    .unwrap();
    study.run(problem, 1).unwrap();
    study
}

#[test]
fn every_learner_of_the_portfolio_beats_the_baseline_out_of_fold() {
    let problem = problem("roc_auc");
    let trials = portfolio::configs(&problem.pipelines, ROWS).len() as u32;
    let study = study(&problem, trials);
    let mut learners = std::collections::BTreeSet::new();
    for trial in study.history().trials() {
        let name = problem.pipelines.learner_of(&trial.config).to_owned();
        assert!(!matches!(trial.state, State::Failed(_)), "{name}: {:?}", trial.state);
        let outcome = problem.outcome(trial.id).unwrap();
        let rows = problem.cv.covered_rows(FOLDS);
        assert_eq!(rows.len(), ROWS);
        let value = problem.scoring.value(&rows, &problem.cv.out_of_fold(&outcome, &rows)).unwrap();
        // The noise leaves an area of about 0.97 to be found; a constant has 0.5.
        if name != "dummy" {
            assert!(value > 0.7, "{name}: {value}");
        }
        learners.insert(name);
    }
    assert!(learners.len() >= 6, "{learners:?}");
    // Further repeats went to some trials and not to all.
    let full = problem.cv.folds.len();
    let done: Vec<usize> =
        study.history().trials().iter().map(|trial| problem.outcome(trial.id).unwrap().folds.len()).collect();
    assert!(done.contains(&full) && done.contains(&FOLDS), "{done:?}");
}

#[test]
fn a_blend_predicts_the_same_bits_after_loading() {
    let problem = problem("log_loss");
    let study = study(&problem, 4);
    let members: Vec<Member> = study
        .history()
        .trials()
        .iter()
        .map(|trial| Member {
            label: trial.id.to_string(),
            weight: 0.25,
            pipelines: problem.pipelines_of(trial.id, FOLDS),
            is_stacked: false,
        })
        .collect();
    assert!(members.iter().all(|member| member.pipelines.len() == FOLDS));
    let columns = ["x", "city", "words"].map(str::to_owned).to_vec();
    let ensemble = Ensemble {
        task: Task::Binary,
        preparation: Preparation::new(columns, Vec::new()),
        members,
        base: Vec::new(),
        calibration: Calibration::Temperature(1.25),
    };
    let (table, _) = table();
    let before = ensemble.predict(&table).unwrap();
    let state = ensemble.save();
    let after = Ensemble::load(&state, Task::Binary).unwrap();
    assert_eq!(after.predict(&table).unwrap(), before);
    // Words are counted once for the models of a fold, whoever else looks at them in what way.
    let mut passage = Passage::new(table.clone());
    let of_first_fold: Vec<&FittedPipeline> =
        after.members.iter().map(|member| &member.pipelines[0]).collect();
    let steps = |pipeline: &FittedPipeline| pipeline.save().read::<Vec<usize>>("steps").unwrap().len();
    let stages = of_first_fold.iter().map(|pipeline| passage.stage(pipeline).unwrap()).max();
    let apart: usize = of_first_fold.iter().map(|pipeline| steps(pipeline)).sum();
    assert!(stages < Some(apart), "{stages:?} of {apart} steps");
    // Row by row and in another order of columns the answers are the same.
    let turned = Table::new(table.columns().iter().rev().cloned().collect(), ROWS).unwrap();
    let last = after.predict(&turned.take(&[ROWS as u32 - 1])).unwrap();
    assert_eq!(last.row(0), before.row(ROWS - 1));
    assert!(after.predict(&table.without(|column| column.name == "city")).is_err());
    for name in state.parts.keys() {
        let mut damaged = state.clone();
        damaged.parts.remove(name);
        assert!(Ensemble::load(&damaged, Task::Binary).is_err(), "without {name}");
    }
}

#[test]
fn temperatures_mend_what_is_overconfident_and_leave_the_rest() {
    let mut rng = Seed(9).rng();
    let (mut truth, mut honest) = (Vec::new(), Vec::new());
    for _ in 0..4_000 {
        let p = rng.uniform();
        truth.push(f64::from(u8::from(rng.uniform() < p)));
        honest.push(p);
    }
    let honest = kaizen_model::Predictions::binary(honest);
    assert_eq!(fit_temperature(&truth, &honest), Calibration::None);
    let mut overconfident = honest.clone();
    Calibration::Temperature(0.5).apply(&mut overconfident);
    let Calibration::Temperature(found) = fit_temperature(&truth, &overconfident) else {
        panic!("overconfidence was not seen")
    };
    // The inverse of 0.5 is 2; 4,000 rows leave about 3 % of standard error.
    assert!((found - 2.0).abs() < 0.25, "{found}");
}

fn rounds(pipeline: &FittedPipeline) -> Option<usize> {
    match pipeline.model().view() {
        View::Trees { rounds, .. } => Some(rounds.iter().sum()),
        _ => None,
    }
}

#[test]
fn a_refit_takes_over_what_the_folds_settled() {
    let problem = problem("roc_auc");
    let trials = portfolio::configs(&problem.pipelines, ROWS).len() as u32;
    let study = study(&problem, trials);
    let (table, truth) = table();
    let labels: Vec<u32> = (0..ROWS as u32).collect();
    let mut settled = 0;
    for trial in study.history().trials() {
        let name = problem.pipelines.learner_of(&trial.config).to_owned();
        let folds = problem.pipelines_of(trial.id, FOLDS);
        let again = || problem.refit(&trial.config, &folds, Seed(1), &Signal::new()).unwrap().unwrap();
        let fitted = again();
        let predictions = fitted.predict(&table).unwrap();
        assert_eq!(again().predict(&table).unwrap(), predictions, "{name}: the same seed, the same model");
        if name != "dummy" {
            let value = problem.scoring.value(&labels, &predictions).unwrap();
            assert!(value > 0.8, "{name}: {value} on its own rows");
        }
        if name == "boosted_trees" || name == "symmetric_trees" {
            let mean = folds.iter().filter_map(rounds).sum::<usize>() as f64 / FOLDS as f64;
            assert_eq!(rounds(&fitted), Some(mean.round() as usize), "{name}");
            settled += 1;
            let hurried = Signal::new();
            hurried.raise(Flow::Finish);
            let cut = problem.refit(&trial.config, &folds, Seed(1), &hurried);
            assert!(!matches!(cut, Ok(Some(_))), "{name}: cut short, yet shipped");
        }
    }
    assert!(settled >= 2 && truth.len() == ROWS);
}

#[test]
fn a_first_look_measures_and_keeps_nothing() {
    let problem = problem("roc_auc");
    let config = portfolio::configs(&problem.pipelines, ROWS).swap_remove(1);
    let clock = ManualClock::new();
    let mut reported = Vec::new();
    let task = kaizen_search::Task {
        trial: TrialId(0),
        config,
        reached: None,
        from: None,
        until: Fidelity::of(1, 6 * 4).unwrap(),
        seed: Seed(1),
        signal: Signal::new(),
    };
    let mut sink = |fidelity: Fidelity, values: &[f64]| {
        reported.push((fidelity, values[0]));
        Flow::Continue
    };
    problem.evaluate(&task.config, task.until, &mut Ctx::new(&task, &clock, &mut sink)).unwrap();
    assert!(problem.outcome(TrialId(0)).is_none());
    let [(fidelity, value)] = reported[..] else { panic!("{reported:?}") };
    assert_eq!(fidelity, task.until);
    assert!(value > 0.6, "{value}");
}

/// What a study does within a limit of memory beyond `base_bytes` of zero.
fn within(limit_bytes: Option<u64>) -> (TabularProblem, Study) {
    let budget = MemoryBudget { limit_bytes, base_bytes: 0, thread_count: 2 };
    let problem = problem("log_loss").within(budget);
    let trials = portfolio::configs(&problem.pipelines, ROWS).len() as u32;
    let study = study(&problem, trials);
    (problem, study)
}

#[test]
fn what_does_not_fit_into_memory_is_left_out_and_the_rest_is_the_same_to_the_bit() {
    let (all, free) = within(None);
    // The text's terms alone take a few megabytes a fold, a forest or a boosting of many rounds tens of them.
    let (some, tight) = within(Some(12_000_000));
    let mut refused = Vec::new();
    for (trial, unbounded) in tight.history().trials().iter().zip(free.history().trials()) {
        let name = some.pipelines.learner_of(&trial.config).to_owned();
        if let State::Failed(Failure::Memory(why)) = &trial.state {
            assert!(why.contains("of memory") && why.contains("limit of 12 MB"), "{why}");
            assert!(some.outcome(trial.id).is_none(), "{name} was fitted all the same");
            refused.push(name);
            continue;
        }
        // Fewer folds at a time, transformed tables made again: no bit may differ.
        let (bounded, unbounded) = (some.outcome(trial.id).unwrap(), all.outcome(unbounded.id).unwrap());
        for (one, other) in bounded.folds.iter().zip(&unbounded.folds) {
            assert_eq!(one.predictions, other.predictions, "{name}, fold {}", one.fold);
        }
    }
    assert!(refused.iter().any(|name| name.contains("forest") || name.contains("trees")), "{refused:?}");
    assert!(!refused.contains(&"dummy".to_owned()) && refused.len() < tight.history().trials().len());
    assert!(free.history().trials().iter().all(|trial| !matches!(trial.state, State::Failed(_))));
}
