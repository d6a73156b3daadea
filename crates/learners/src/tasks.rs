//! A task as plain data.

use kaizen_model::{LoadError, State, Task};
use serde_json::{Value, json};

/// Classes or quantile levels a model will make room for.
const OUTPUT_LIMIT: usize = 1 << 20;

/// Adds the task to a state's small values.
pub(crate) fn save_task(task: &Task, state: &mut State) {
    let value = match task {
        Task::Binary => json!({ "kind": "binary" }),
        Task::Multiclass { class_count } => json!({ "kind": "multiclass", "class_count": class_count }),
        Task::Regression => json!({ "kind": "regression" }),
        Task::Quantile { levels } => json!({ "kind": "quantile", "levels": levels }),
    };
    match &mut state.meta {
        Value::Object(map) => {
            map.insert("task".to_owned(), value);
        }
        meta => *meta = json!({ "task": value }),
    }
}

/// Reads the task from a state's small values.
pub(crate) fn load_task(state: &State) -> Result<Task, LoadError> {
    let value = state.value("task")?;
    let damaged = |why: &str| LoadError::damaged("task", why);
    match value.get("kind").and_then(Value::as_str) {
        Some("binary") => Ok(Task::Binary),
        Some("regression") => Ok(Task::Regression),
        Some("multiclass") => {
            let count = value
                .get("class_count")
                .and_then(Value::as_u64)
                .and_then(|count| usize::try_from(count).ok());
            match count.filter(|count| (2..=OUTPUT_LIMIT).contains(count)) {
                Some(class_count) => Ok(Task::Multiclass { class_count }),
                None => Err(damaged("no count of classes")),
            }
        }
        Some("quantile") => {
            let levels = value.get("levels").and_then(Value::as_array).ok_or_else(|| damaged("no levels"))?;
            let levels: Option<Vec<f64>> = levels.iter().map(Value::as_f64).collect();
            let inside = |levels: &Vec<f64>| levels.iter().all(|&level| level > 0.0 && level < 1.0);
            match levels.filter(|levels| !levels.is_empty() && levels.len() <= OUTPUT_LIMIT && inside(levels))
            {
                Some(levels) => Ok(Task::Quantile { levels }),
                None => Err(damaged("levels outside (0, 1)")),
            }
        }
        _ => Err(damaged("of no known kind")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_survive_storage_and_nonsense_is_refused() {
        let tasks = [
            Task::Binary,
            Task::Regression,
            Task::Multiclass { class_count: 7 },
            Task::Quantile { levels: vec![0.1, 0.9] },
        ];
        for task in tasks {
            let mut state = State::default();
            save_task(&task, &mut state);
            assert_eq!(load_task(&state), Ok(task));
        }
        for bad in [
            json!({}),
            json!({"kind": "multiclass", "class_count": 0}),
            json!({"kind": "quantile", "levels": [2]}),
        ] {
            assert!(load_task(&State::new(json!({ "task": bad }))).is_err());
        }
    }
}
