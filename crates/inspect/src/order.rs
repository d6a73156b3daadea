//! Whether the order of the rows means something: time, or an export sorted by the answer.

use kaizen_table::{TargetValues, Values};

use crate::finding::{Finding, FindingKind, Severity};
use crate::inspection::Survey;
use crate::profile::Role;
use crate::target::Goal;
use crate::words::{argument, name};

/// Rows below which no order is looked for.
const ROWS_MIN: usize = 50;

/// Excess likeness of neighbours (0 none, 1 full) from which it matters for a split: shuffled folds then put rows that
/// share a tenth of their spread on both sides.
const LIKENESS: f64 = 0.1;

/// Standard errors from which likeness is not chance: with all tables of a lifetime tested, one false alarm in 10^9.
const LIKENESS_ERRORS: f64 = 6.0;

/// Excess likeness of classes from which the rows were sorted, nearly, by the target itself.
const BLOCKS: f64 = 0.9;

/// Share of adjacent rows that may go against the order of a time column: late arrivals in a log.
const AGAINST_SHARE: f64 = 0.01;

/// A column that gives the rows an order in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ordered {
    pub(crate) column: String,
    /// Whether the evidence is strong enough to split by it without being asked.
    pub(crate) strong: bool,
}

/// Looks for an order; returns the column to split by, if there is one.
pub(crate) fn check(survey: &Survey<'_>, findings: &mut Vec<Finding>) -> Option<Ordered> {
    let goal = survey.goal.as_ref()?;
    if goal.rows.len() < ROWS_MIN {
        return None;
    }
    let in_file: Vec<u32> = (0..goal.rows.len() as u32).collect();
    if is_sorted_by_target(goal) {
        findings.push(
            Finding::new(
                FindingKind::SortedByTarget,
                Severity::Info,
                &[&goal.target.name],
                "The rows are sorted by the target.",
            )
            .action("Shuffles them before cutting folds."),
        );
        return None;
    }
    let found = likeness(goal, &in_file);
    let classes = goal.target.codes().is_some();
    if let Some(found) = found.filter(|found| classes && found.excess >= BLOCKS && found.is_strong()) {
        findings.push(
            Finding::new(
                FindingKind::SortedByTarget,
                Severity::Info,
                &[&goal.target.name],
                "The rows stand in long blocks of one class.",
            )
            .evidence("excess_likeness", found.excess)
            .action("Shuffles them before cutting folds."),
        );
        return None;
    }
    if let Some(candidate) = time_columns(survey).into_iter().next() {
        return Some(note_time(survey, goal, &candidate, found, findings));
    }
    if let Some(found) = found.filter(|found| found.is_strong()) {
        findings.push(
            Finding::new(
                FindingKind::RowOrder,
                Severity::Warning,
                &[],
                format!(
                    "Neighbouring rows have alike targets (excess likeness {:.2}): the rows stand in some order, by time or by group.",
                    found.excess
                ),
            )
            .evidence("excess_likeness", found.excess)
            .evidence("standard_errors", found.errors)
            .action("Shuffles the rows as if their order meant nothing, since no column says what it means.")
            .advice("If they are in time or come in groups, add the column that says so and name it with --time-column or --group."),
        );
    }
    None
}

/// A column that may order the rows in time.
struct Candidate {
    column: usize,
    /// Whether the rows of the file already stand in its order.
    in_file_order: bool,
    is_time: bool,
}

/// Time columns first, then numbers that only rise along the file; best first.
fn time_columns(survey: &Survey<'_>) -> Vec<Candidate> {
    let rows = survey.table.row_count();
    let mut found: Vec<Candidate> = Vec::new();
    for (index, each) in survey.others() {
        let is_time = matches!(each.column.values, Values::Time(_));
        let steps = each.facts.rising + each.facts.falling;
        let against = each.facts.rising.min(each.facts.falling);
        let in_file_order = steps > 0 && against as f64 <= AGAINST_SHARE * steps as f64;
        let rises = each.profile.number.is_some()
            && each.profile.role == Role::Feature
            && each.facts.is_ordered(rows)
            && each.profile.distinct_count * 4 > rows;
        if is_time && each.profile.distinct_count > 5 || rises {
            found.push(Candidate { column: index, in_file_order, is_time });
        }
    }
    found.sort_by_key(|each| (std::cmp::Reverse(each.in_file_order), std::cmp::Reverse(each.is_time)));
    found
}

fn note_time(
    survey: &Survey<'_>,
    goal: &Goal,
    candidate: &Candidate,
    in_file: Option<Likeness>,
    findings: &mut Vec<Finding>,
) -> Ordered {
    let each = &survey.columns[candidate.column];
    let column = &each.profile.name;
    let along = if candidate.in_file_order {
        in_file
    } else {
        likeness(goal, &order_by(&each.column.values, &goal.rows))
    };
    let alike = along.is_some_and(Likeness::is_strong);
    let strong = candidate.in_file_order && alike;
    let what = match (candidate.in_file_order, alike) {
        (true, true) => {
            format!("The rows stand in the order of {}, and targets near in time are alike.", name(column))
        }
        (true, false) => format!("The rows stand in the order of {}.", name(column)),
        (false, true) => format!("Targets near in {} are alike.", name(column)),
        (false, false) => format!("{} says when a row was.", name(column)),
    };
    let severity = if alike { Severity::Warning } else { Severity::Info };
    let action = if strong {
        "Validates forward in time: each fold learns from earlier rows and is judged on later ones."
    } else {
        "Shuffles the rows, since it is not certain that the model will be used on later rows than these."
    };
    let advice = if strong {
        format!(
            "If the model will fill in rows between these rather than later ones, the score is too low for it; --ignore {} leaves the column out and shuffles rows.",
            argument(column)
        )
    } else {
        format!("If the model will be used on later rows, say --time-column {}.", argument(column))
    };
    let excess = along.map_or(f64::NAN, |found| found.excess);
    findings.push(
        Finding::new(FindingKind::TimeOrder, severity, &[column], what)
            .evidence("excess_likeness", excess)
            .evidence("standard_errors", along.map_or(f64::NAN, |found| found.errors))
            .action(action)
            .advice(advice),
    );
    Ordered { column: column.clone(), strong }
}

/// Positions in `rows` in the order of the column's values; ties stay in row order, missing cells come first.
fn order_by(values: &Values, rows: &[u32]) -> Vec<u32> {
    let numbers = match values {
        Values::Number(number) => &number.values,
        Values::Time(time) => &time.seconds,
        _ => return (0..rows.len() as u32).collect(),
    };
    let key = |position: u32| {
        let value = numbers[rows[position as usize] as usize];
        if value.is_nan() { f64::NEG_INFINITY } else { value }
    };
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    order.sort_by(|&a, &b| key(a).total_cmp(&key(b)));
    order
}

/// How much more alike neighbours are than rows drawn at random.
#[derive(Clone, Copy, Debug)]
struct Likeness {
    /// 0 for none, 1 for full.
    excess: f64,
    /// Standard errors from zero.
    errors: f64,
}

impl Likeness {
    fn is_strong(self) -> bool {
        self.excess >= LIKENESS && self.errors >= LIKENESS_ERRORS
    }
}

/// Likeness of targets of neighbours along `order`.
///
/// Classes: the number of runs against its expectation and variance under a random order (Mood 1940, for several
/// kinds). Numbers: the serial correlation at lag 1 of their ranks' stand-in, the values clipped at the 1st and 99th
/// percentile so that one outlier cannot hide or make it (Wald and Wolfowitz 1943; standard error 1/√n).
fn likeness(goal: &Goal, order: &[u32]) -> Option<Likeness> {
    let count = order.len() as f64;
    match &goal.target.values {
        TargetValues::Classes { codes, names } => {
            let mut sizes = vec![0.0; names.len()];
            for &code in codes {
                sizes[code as usize] += 1.0;
            }
            let runs = 1.0
                + order.windows(2).filter(|pair| codes[pair[0] as usize] != codes[pair[1] as usize]).count()
                    as f64;
            let squares: f64 = sizes.iter().map(|size| size * size).sum();
            let cubes: f64 = sizes.iter().map(|size| size * size * size).sum();
            let expected = (count * (count + 1.0) - squares) / count;
            let variance =
                (squares * (squares + count * (count + 1.0)) - 2.0 * count * cubes - count * count * count)
                    / (count * count * (count - 1.0));
            (variance > 0.0 && expected > 1.0).then(|| Likeness {
                excess: (expected - runs) / (expected - 1.0),
                errors: (expected - runs) / variance.sqrt(),
            })
        }
        TargetValues::Numbers(numbers) => {
            let mut sorted = numbers.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let (low, high) = (sorted[sorted.len() / 100], sorted[sorted.len() - 1 - sorted.len() / 100]);
            let scale = low.abs().max(high.abs()).max(f64::MIN_POSITIVE);
            let clipped: Vec<f64> =
                order.iter().map(|&row| numbers[row as usize].clamp(low, high) / scale).collect();
            let mean = clipped.iter().sum::<f64>() / count;
            let spread: f64 = clipped.iter().map(|value| (value - mean) * (value - mean)).sum();
            let product: f64 = clipped.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
            (spread > 0.0)
                .then(|| Likeness { excess: product / spread, errors: product / spread * count.sqrt() })
        }
    }
}

fn is_sorted_by_target(goal: &Goal) -> bool {
    match &goal.target.values {
        TargetValues::Classes { codes, names } => {
            let runs = 1 + codes.windows(2).filter(|pair| pair[0] != pair[1]).count();
            runs == names.len() && codes.len() > 4 * names.len()
        }
        TargetValues::Numbers(numbers) => {
            numbers.windows(2).all(|pair| pair[0] <= pair[1])
                || numbers.windows(2).all(|pair| pair[0] >= pair[1])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_base::Seed;
    use kaizen_table::Target;

    fn goal(values: TargetValues) -> Goal {
        let target = Target { name: "y".to_owned(), values };
        Goal { rows: (0..target.len() as u32).collect(), target }
    }

    #[test]
    fn runs_by_hand() {
        // 0 0 1 1: two runs; under a random order 4 * 5 - 8 over 4 = 3 runs are expected.
        let goal = goal(TargetValues::Classes { codes: vec![0, 0, 1, 1], names: vec![String::new(); 2] });
        let found = likeness(&goal, &[0, 1, 2, 3]).unwrap();
        assert!((found.excess - 0.5).abs() < 1e-12);
        // Variance for 2 + 2: (8 * (8 + 20) - 8 * 16 - 64) / (16 * 3) = 2/3.
        assert!((found.errors - 1.0 / (2.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn shuffled_targets_are_not_alike_and_waves_are() {
        let mut rng = Seed(5).rng();
        let noise = goal(TargetValues::Numbers((0..5000).map(|_| rng.normal()).collect()));
        let order: Vec<u32> = (0..5000).collect();
        assert!(!likeness(&noise, &order).unwrap().is_strong());
        let wave = goal(TargetValues::Numbers(
            (0..5000).map(|row| kaizen_base::math::sin(f64::from(row) / 20.0) + 0.3 * rng.normal()).collect(),
        ));
        assert!(likeness(&wave, &order).unwrap().is_strong());
        let classes = (0..5000).map(|_| rng.below(3) as u32).collect();
        let classes = goal(TargetValues::Classes { codes: classes, names: vec![String::new(); 3] });
        assert!(likeness(&classes, &order).unwrap().errors.abs() < 4.0);
    }
}
