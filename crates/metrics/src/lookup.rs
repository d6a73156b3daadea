//! Finding a metric by the name that a person typed.

use kaizen_base::edit_distance;

use crate::error::MetricError;
use crate::metric::{Metric, TaskKind};
use crate::{labels, probability, ranking, regression};

/// Names farther away than this share of their length are not offered for a typo.
const FARTHEST_SHARE: f64 = 0.4;
/// More suggestions than this are a list, not a hint.
const MOST_SUGGESTIONS: usize = 3;

/// All metrics, family by family.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    labels::METRICS.iter().chain(ranking::METRICS).chain(probability::METRICS).chain(regression::METRICS)
}

/// The metric of this name or alias; upper case, hyphens and spaces are forgiven.
///
/// # Errors
/// [`MetricError::UnknownName`] with the nearest names.
///
/// ```
/// assert_eq!(kaizen_metrics::by_name("neg_log_loss")?.name(), "log_loss");
/// assert_eq!(kaizen_metrics::by_name("ROC-AUC")?.name(), "roc_auc");
/// let error = kaizen_metrics::by_name("rocauc").unwrap_err();
/// assert_eq!(error.to_string(), "unknown metric `rocauc`: did you mean `roc_auc`?");
/// # Ok::<(), kaizen_metrics::MetricError>(())
/// ```
pub fn by_name(name: &str) -> Result<&'static Metric, MetricError> {
    let key: String = name
        .trim()
        .chars()
        .map(|letter| if letter == '-' || letter == ' ' { '_' } else { letter.to_ascii_lowercase() })
        .collect();
    all()
        .find(|metric| metric.name() == key || metric.aliases.contains(&key.as_str()))
        .ok_or_else(|| MetricError::UnknownName { name: name.to_owned(), suggestions: nearest(&key) })
}

/// The metric of this name for a kind of task: for three classes or more, a name that means two (`roc_auc`, `f1`)
/// gives its sibling (`roc_auc_ovr`, `f1_macro`).
///
/// # Errors
/// [`MetricError::UnknownName`]; [`MetricError::Kind`] when the metric cannot judge such a task.
///
/// ```
/// use kaizen_metrics::{TaskKind, resolve};
/// assert_eq!(resolve("roc_auc", TaskKind::Multiclass)?.name(), "roc_auc_ovr");
/// assert!(resolve("roc_auc", TaskKind::Regression).is_err());
/// # Ok::<(), kaizen_metrics::MetricError>(())
/// ```
pub fn resolve(name: &str, task: TaskKind) -> Result<&'static Metric, MetricError> {
    let metric = by_name(name)?;
    if metric.applies_to(task) {
        return Ok(metric);
    }
    match metric.multiclass {
        Some(sibling) if task == TaskKind::Multiclass => by_name(sibling),
        _ => Err(metric.wrong_kind(task)),
    }
}

/// The metric that a task is judged by when nobody says otherwise.
///
/// ```
/// assert_eq!(kaizen_metrics::default_metric(kaizen_metrics::TaskKind::Binary).name(), "roc_auc");
/// ```
pub fn default_metric(task: TaskKind) -> &'static Metric {
    let name = match task {
        TaskKind::Binary => "roc_auc",
        TaskKind::Multiclass => "log_loss",
        TaskKind::Regression => "rmse",
        TaskKind::Quantile => "pinball",
    };
    #[expect(clippy::expect_used, reason = "the four names stand in the table, which a test walks")]
    all().find(|metric| metric.name() == name).expect("the table holds the defaults")
}

fn nearest(key: &str) -> Vec<&'static str> {
    let names = all().flat_map(|metric| std::iter::once(metric.name()).chain(metric.aliases.iter().copied()));
    let letters = |text: &str| text.chars().collect::<Vec<char>>();
    let wanted = letters(key);
    let mut near: Vec<(usize, &'static str)> = names
        .map(|name| (edit_distance(&wanted, &letters(name)), name))
        .filter(|&(distance, name)| distance as f64 <= FARTHEST_SHARE * name.len().max(key.len()) as f64)
        .collect();
    near.sort_unstable();
    let closest = near.first().map_or(0, |pair| pair.0);
    near.into_iter()
        .take_while(|pair| pair.0 <= closest + 1)
        .filter(|pair| closest > 1 || pair.0 == closest)
        .map(|pair| pair.1)
        .take(MOST_SUGGESTIONS)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_aliases_are_unique_and_snake_case() {
        let mut seen = BTreeSet::new();
        for metric in all() {
            for name in std::iter::once(&metric.name()).chain(metric.aliases) {
                assert!(seen.insert(*name), "{name} twice");
                assert!(
                    name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                    "{name}"
                );
                assert_eq!(by_name(name).unwrap().name(), metric.name());
            }
            assert!(metric.range.0 < metric.range.1 && !metric.tasks.is_empty());
            if let Some(sibling) = metric.multiclass {
                assert!(by_name(sibling).unwrap().applies_to(TaskKind::Multiclass));
                assert!(!metric.applies_to(TaskKind::Multiclass));
            }
        }
        assert!(all().count() >= 36);
    }

    #[test]
    fn every_task_has_a_default_that_applies() {
        for task in [TaskKind::Binary, TaskKind::Multiclass, TaskKind::Regression, TaskKind::Quantile] {
            assert!(default_metric(task).applies_to(task));
        }
    }

    #[test]
    fn typos_get_a_hint_and_nonsense_gets_none() {
        let error = by_name("acuracy").unwrap_err();
        assert!(error.to_string().ends_with("did you mean `accuracy`?"), "{error}");
        assert_eq!(by_name("zzzzzzzz").unwrap_err().to_string(), "unknown metric `zzzzzzzz`");
        // Two letters in the wrong order are one slip: `rmse` is nearer than anything else.
        let error = by_name("rsme").unwrap_err();
        assert!(error.to_string().ends_with("did you mean `rmse`?"), "{error}");
        let error = resolve("r2", TaskKind::Binary).unwrap_err();
        assert_eq!(error.to_string(), "r2 judges regression, these are binary classification");
    }
}
