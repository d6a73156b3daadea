//! How to cut the rows into folds, and why.

use kaizen_table::{SplitPlan, TargetValues};

use crate::groups::Grouped;
use crate::options::Options;
use crate::order::Ordered;
use crate::target::Goal;
use crate::words::{counted, name};

/// A plan for the folds with the reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitAdvice {
    /// The plan; shuffled plans are to be stratified for classes.
    pub plan: SplitPlan,
    /// The column that names the group of a row, for [`SplitPlan::Grouped`].
    pub group: Option<String>,
    /// The column that says when a row was, for [`SplitPlan::Forward`].
    pub time_column: Option<String>,
    /// Why, one sentence.
    pub reason: String,
}

/// Rows up to which folds are repeated, how many folds, and how many repeats.
///
/// Eight folds leave nearly as much to learn from as the ten of Kohavi 1995, and repeated they keep the spread of the
/// estimate down where a fold has few rows (Kim 2009); five cost less and are as good once each has thousands of rows;
/// past 100,000 rows one more fold buys less than more search does, and past 500,000 a tenth held out has a standard
/// error below that of any difference worth finding. A fit that is short of time takes fewer.
const PLANS: [(usize, usize, usize); 5] =
    [(500, 8, 4), (2_500, 8, 3), (10_000, 8, 1), (100_000, 5, 1), (500_000, 3, 1)];

/// Rows held out per thousand beyond the last of [`PLANS`].
const HOLDOUT_PER_THOUSAND: u32 = 100;

/// Folds by group or forward in time.
const ORDERED_FOLDS: usize = 5;

/// Chooses a plan: what the person said, else strong evidence of time or groups, else by the number of rows.
pub(crate) fn advise(
    goal: &Goal,
    options: &Options<'_>,
    ordered: Option<Ordered>,
    grouped: Option<Grouped>,
) -> SplitAdvice {
    let by_time = |column: String, reason: String| SplitAdvice {
        plan: SplitPlan::Forward { folds: ORDERED_FOLDS },
        group: None,
        time_column: Some(column),
        reason,
    };
    let by_group = |column: String, reason: String| SplitAdvice {
        plan: SplitPlan::Grouped { folds: ORDERED_FOLDS },
        group: Some(column),
        time_column: None,
        reason,
    };
    if let Some(column) = options.time_column {
        return by_time(column.to_owned(), format!("Forward in time by {}, as asked.", name(column)));
    }
    if let Some(column) = options.group {
        return by_group(column.to_owned(), format!("By group of {}, as asked.", name(column)));
    }
    if let Some(found) = ordered.filter(|found| found.strong) {
        let reason = format!(
            "Forward in time by {}: the rows stand in its order and targets near in time are alike, so shuffled folds would look into the future.",
            name(&found.column)
        );
        return by_time(found.column, reason);
    }
    if let Some(found) = grouped.filter(|found| found.strong) {
        let reason = format!(
            "By group of {}: rows of a group have alike targets, so shuffled folds would recall known groups.",
            name(&found.column)
        );
        return by_group(found.column, reason);
    }
    let (plan, reason) = by_size(goal);
    SplitAdvice { plan, group: None, time_column: None, reason }
}

fn by_size(goal: &Goal) -> (SplitPlan, String) {
    let rows = goal.rows.len();
    let classes = match &goal.target.values {
        TargetValues::Classes { codes, names } => {
            let mut sizes = vec![0usize; names.len()];
            for &code in codes {
                sizes[code as usize] += 1;
            }
            Some(sizes)
        }
        TargetValues::Numbers(_) => None,
    };
    let kind = if classes.is_some() { "stratified" } else { "shuffled" };
    let Some(&(_, folds, repeats)) = PLANS.iter().find(|(most, ..)| rows <= *most) else {
        let share = HOLDOUT_PER_THOUSAND / 10;
        return (
            SplitPlan::Holdout { per_thousand: HOLDOUT_PER_THOUSAND },
            format!(
                "One {kind} holdout of {share} %: with {}, that is enough to tell models apart.",
                counted(rows, "row")
            ),
        );
    };
    // Classes of one row cannot be validated and do not limit the folds.
    let rarest = classes.iter().flatten().copied().filter(|&size| size > 1).min().unwrap_or(rows);
    let folds_kept = folds.min(rarest.max(2)).min(rows.max(2));
    let plan = SplitPlan::Shuffled { folds: folds_kept, repeats };
    let times = if repeats == 1 { String::new() } else { format!(" cut up to {repeats} times") };
    let because = if folds_kept < folds {
        format!("the rarest class has only {}", counted(rarest, "row"))
    } else if repeats > 1 {
        format!("with {}, one cut would leave the score to luck", counted(rows, "row"))
    } else {
        format!("with {}, each fold is large enough", counted(rows, "row"))
    };
    (plan, format!("{folds_kept} {kind} folds{times}: {because}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_table::Target;

    fn goal(sizes: &[usize]) -> Goal {
        let codes: Vec<u32> =
            sizes.iter().enumerate().flat_map(|(class, &size)| vec![class as u32; size]).collect();
        let names = sizes.iter().map(ToString::to_string).collect();
        let rows = (0..codes.len() as u32).collect();
        Goal { rows, target: Target { name: "y".to_owned(), values: TargetValues::Classes { codes, names } } }
    }

    #[test]
    fn plans_follow_rows_and_the_rarest_class() {
        let plan = |sizes: &[usize]| advise(&goal(sizes), &Options::default(), None, None).plan;
        assert_eq!(plan(&[75, 75]), SplitPlan::Shuffled { folds: 8, repeats: 4 });
        assert_eq!(plan(&[146, 4]), SplitPlan::Shuffled { folds: 4, repeats: 4 });
        assert_eq!(plan(&[149, 1]), SplitPlan::Shuffled { folds: 8, repeats: 4 });
        assert_eq!(plan(&[39_992, 8]), SplitPlan::Shuffled { folds: 5, repeats: 1 });
        assert_eq!(plan(&[300_000, 300_000]), SplitPlan::Holdout { per_thousand: 100 });
    }

    #[test]
    fn what_the_person_said_wins() {
        let options = Options { group: Some("patient"), ..Options::default() };
        let found = Some(Ordered { column: "day".to_owned(), strong: true });
        let advice = advise(&goal(&[50, 50]), &options, found.clone(), None);
        assert_eq!((advice.group.as_deref(), advice.time_column), (Some("patient"), None));
        let advice = advise(&goal(&[50, 50]), &Options::default(), found, None);
        assert_eq!(advice.time_column.as_deref(), Some("day"));
        let weak = Some(Ordered { column: "day".to_owned(), strong: false });
        assert_eq!(advise(&goal(&[500, 500]), &Options::default(), weak, None).time_column, None);
    }
}
