//! The model card: what the model is for and how good it is, as JSON for people's tools.
//!
//! Source of the headings: Mitchell et al. 2019, "Model cards for model reporting".

use serde_json::{Value, json};

use crate::finish::Finished;
use crate::plan::Plan;

pub(crate) fn render(plan: &Plan, finished: &Finished) -> Value {
    let score = |score: &crate::finish::Score| json!({ "metric": plan.metric.name(), "value": score.value, "interval_95": score.interval });
    let members: Vec<Value> = finished
        .leaderboard
        .iter()
        .filter(|standing| standing.weight > 0.0)
        .map(|standing| json!({ "learner": standing.learner, "config": standing.config, "weight": standing.weight }))
        .collect();
    let caveats: Vec<String> = plan
        .inspection
        .findings
        .iter()
        .filter(|finding| finding.severity >= kaizen_inspect::Severity::Warning)
        .map(|finding| finding.what.clone())
        .collect();
    json!({
        "card_version": 1,
        "model_details": {
            "made_by": format!("Kaizen {}", env!("CARGO_PKG_VERSION")),
            "kind": "weighted blend of cross-validated pipelines",
            "members": members,
            "microseconds_per_row": finished.cost_microseconds,
        },
        "intended_use": {
            "predicts": plan.target.name,
            "task": plan.task.word(),
            "classes": plan.target.class_names(),
            "from": plan.preparation.columns(),
        },
        "evaluation": {
            "validation": plan.validation.words(),
            "cross_validation": score(&finished.score),
            "unseen_rows": finished.judged.as_ref().map(score),
        },
        "training_data": { "rows": plan.raw.row_count(), "columns": plan.raw.columns().len() },
        "caveats": caveats,
    })
}
