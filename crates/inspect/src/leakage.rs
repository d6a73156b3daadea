//! Features that alone predict the target too well.

use kaizen_table::TargetValues;

use crate::finding::{Finding, FindingKind, Severity};
use crate::inspection::Survey;
use crate::words::{argument, name};

/// Area under the curve of one feature, out of fold, from which it is suspected.
///
/// Measured: the best single feature of the six binary development tables has 0.868 (`mammography`, `attr4`); a copy
/// of the target with 2 % of the labels flipped has 0.978 (`c26_target_leak`). The line lies nearer to the copy, so
/// that it stays silent on strong honest features.
const AREA_SUSPECT: f64 = 0.97;

/// Share of the log loss of several classes explained by one feature, from which it is suspected. Measured: 0.768 at
/// most over the six development tables (`shuttle`, `A1`); three even classes with 2 % flipped labels give 0.90.
const SKILL_SUSPECT_CLASSES: f64 = 0.85;

/// Share of a numeric target's variance explained by one feature, from which it is suspected. Measured: 0.877 at most
/// over the five development tables (`diamonds`, `y`).
const SKILL_SUSPECT_NUMBERS: f64 = 0.97;

/// Share of a numeric target's variance from which one feature is the target but for noise; between the two lines lie
/// honest physical laws.
const SKILL_SURE_NUMBERS: f64 = 0.995;

/// Rows of each class (or of a numeric target: in all, times five) below which nothing is suspected.
const CLASS_ROWS_MIN: usize = 10;

/// Suspects listed one by one; a table with more is suspicious as a whole.
const SUSPECTS_LISTED: usize = 10;

/// Lists the features that alone predict too well. They are kept: only the person knows whether the value is known
/// before the answer.
pub(crate) fn check(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    let Some(goal) = &survey.goal else { return };
    let enough = match &goal.target.values {
        TargetValues::Classes { codes, names } => {
            let mut sizes = vec![0usize; names.len()];
            for &code in codes {
                sizes[code as usize] += 1;
            }
            // The second largest class decides whether there is something to leak about.
            sizes.sort_unstable();
            sizes.len() >= 2 && sizes[sizes.len() - 2] >= CLASS_ROWS_MIN
        }
        TargetValues::Numbers(numbers) => numbers.len() >= 5 * CLASS_ROWS_MIN,
    };
    if !enough {
        return;
    }
    let classes = goal.target.codes().is_some();
    let mut suspects: Vec<(f64, &str, Finding)> = Vec::new();
    for (_, each) in survey.features() {
        let Some(power) = each.power else { continue };
        let column = each.profile.name.as_str();
        let (suspect, how) = match power.area {
            // Four standard errors keep small tables with many columns silent.
            Some(area) => (
                area >= AREA_SUSPECT && area - 4.0 * power.area_error > 0.9,
                format!("area under the curve {area:.3} out of fold"),
            ),
            None if classes => (
                power.skill >= SKILL_SUSPECT_CLASSES,
                format!("explains {:.1} % of the log loss out of fold", power.skill * 100.0),
            ),
            None => (
                power.skill >= SKILL_SUSPECT_NUMBERS,
                format!("explains {:.1} % of the variance out of fold", power.skill * 100.0),
            ),
        };
        if suspect {
            let finding = Finding::new(
                FindingKind::Leakage,
                if !classes && power.skill < SKILL_SURE_NUMBERS {
                    Severity::Warning
                } else {
                    Severity::Critical
                },
                &[column],
                format!("{} alone nearly gives the target away ({how}).", name(column)),
            )
            .evidence("skill", power.skill)
            .evidence("area_under_curve", power.area.unwrap_or(f64::NAN))
            .action("Keeps it, since it may be honest; the score then rests on it.")
            .advice(format!(
                "If it is filled in after the answer is known, leave it out: --ignore {}.",
                argument(column)
            ));
            suspects.push((power.area.unwrap_or(power.skill), column, finding));
        }
    }
    suspects.sort_by(|a, b| b.0.total_cmp(&a.0));
    findings.extend(suspects.into_iter().take(SUSPECTS_LISTED).map(|(.., finding)| finding));
}
