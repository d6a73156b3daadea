//! Small data sets on which every learner must keep its promises.

use std::sync::Arc;

use kaizen_base::{Seed, Signal};
use kaizen_model::{
    Ctx, Dataset, FitError, Fitted, Handles, Learner, Model, Predictions, Sample, Shape, State, Task,
};
use kaizen_space::Config;
use kaizen_table::{Boolean, Category, Column, Sparse, Table, Time, Values};

/// All tasks that a learner may handle.
pub(crate) fn tasks() -> Vec<Task> {
    vec![
        Task::Binary,
        Task::Multiclass { class_count: 4 },
        Task::Regression,
        Task::Quantile { levels: vec![0.1, 0.5, 0.9] },
    ]
}

/// A table of every kind of column that the abilities allow, with missing cells and a column that is constant.
pub(crate) fn table(rows: usize, handles: Handles, seed: u64) -> Table {
    let mut rng = Seed(seed).rng();
    let mut gappy = |values: Vec<f64>| -> Vec<f64> {
        values.into_iter().map(|value| if rng.uniform() < 0.1 { f64::NAN } else { value }).collect()
    };
    let mut other = Seed(seed + 1).rng();
    let normal: Vec<f64> = (0..rows).map(|_| other.normal()).collect();
    let mut columns = vec![
        Column::number("gappy", gappy((0..rows).map(|_| other.normal() * 100.0).collect())),
        Column::number("normal", normal),
        Column::number("constant", vec![3.0; rows]),
        Column {
            name: "flag".to_owned(),
            values: Values::Boolean(Boolean {
                values: (0..rows).map(|_| other.below(3) as u8).collect(),
                names: ["no".to_owned(), "yes".to_owned()],
            }),
        },
        Column {
            name: "moment".to_owned(),
            values: Values::Time(Time {
                seconds: (0..rows).map(|_| 1.6e9 + 1e7 * other.uniform()).collect(),
                format: String::new(),
            }),
        },
    ];
    if handles.inputs.categories {
        let levels: Vec<String> = (0..12).map(|level| format!("level {level}")).collect();
        let codes = (0..rows)
            .map(|_| if other.uniform() < 0.1 { u32::MAX } else { other.below(12) as u32 })
            .collect();
        let values = Values::Category(Category { codes, levels: Arc::new(levels) });
        columns.push(Column { name: "category".to_owned(), values });
    }
    if handles.inputs.sparse {
        let mut block = Sparse::new(50);
        for _ in 0..rows {
            let first = other.below(25) as u32;
            block.push_row([(first, 0.6), (25 + other.below(25) as u32, 0.8)]);
        }
        columns.push(Column { name: "block".to_owned(), values: Values::Sparse(block) });
    }
    Table::from_columns(columns).unwrap()
}

/// A target that depends on the columns, with noise.
pub(crate) fn target(table: &Table, task: &Task, seed: u64) -> Vec<f64> {
    let mut rng = Seed(seed).child("target", 0).rng();
    let numbers = |name: &str| match &table.column(name).unwrap().values {
        Values::Number(number) => number.values.clone(),
        _ => panic!("a number"),
    };
    let (gappy, normal) = (numbers("gappy"), numbers("normal"));
    (0..table.row_count())
        .map(|row| {
            let missing = if gappy[row].is_nan() { 1.0 } else { gappy[row] / 100.0 };
            let level = match table.column("category").map(|column| &column.values) {
                Some(Values::Category(category)) => f64::from(category.codes[row].min(12)) / 6.0 - 1.0,
                _ => 0.0,
            };
            let score = missing + 2.0 * normal[row] + level + 0.3 * rng.normal();
            match task {
                Task::Binary => f64::from(u8::from(score > 0.0)),
                Task::Multiclass { class_count } => {
                    ((score + 3.0) / 6.0 * *class_count as f64).clamp(0.0, *class_count as f64 - 1.0).floor()
                }
                Task::Regression | Task::Quantile { .. } => 10.0 + 5.0 * score,
            }
        })
        .collect()
}

/// A data set of `rows` rows for a learner.
pub(crate) fn dataset(rows: usize, learner: &dyn Learner, task: &Task, seed: u64) -> Dataset {
    let table = table(rows, learner.handles(), seed);
    let target = target(&table, task, seed);
    Dataset::new(table, task.clone(), Arc::new(target), None)
}

/// The shape of a data set.
pub(crate) fn shape(data: &Dataset) -> Shape {
    let count =
        |wanted: fn(&Values) -> bool| data.table.columns().iter().filter(|it| wanted(&it.values)).count();
    Shape {
        row_count: data.table.row_count(),
        column_count: data.table.columns().len(),
        category_count: count(|values| matches!(values, Values::Category(_))),
        text_count: count(|values| matches!(values, Values::Text(_))),
        task: data.task.clone(),
    }
}

/// The starting configuration, with few rounds or trees where there is such a number, so that tests stay quick.
pub(crate) fn quick(learner: &dyn Learner, data: &Dataset) -> Config {
    let space = learner.space(&shape(data));
    let mut values: Vec<(String, kaizen_space::Value)> =
        space.start().iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
    for (name, value) in &mut values {
        if ["rounds", "trees"].contains(&name.as_str()) {
            *value = 20.into();
        }
    }
    Config::new(&space, values).unwrap()
}

/// Fits on rows with a quick configuration.
pub(crate) fn fit(
    learner: &dyn Learner,
    data: &Dataset,
    train: &[u32],
    valid: Option<&[u32]>,
) -> Result<Fitted, FitError> {
    let ctx = Ctx { seed: Seed(11), signal: &Signal::new() };
    learner.fit(&quick(learner, data), Sample { data, train, valid }, &ctx)
}

/// Every fifth row is for validation.
pub(crate) fn split(rows: usize) -> (Vec<u32>, Vec<u32>) {
    (0..rows as u32).partition(|row| row % 5 != 0)
}

/// What every prediction must be.
pub(crate) fn check_predictions(name: &str, predictions: &Predictions, task: &Task, rows: usize) {
    assert_eq!((predictions.outputs, predictions.row_count()), (task.output_count(), rows), "{name}");
    for row in 0..rows {
        let row = predictions.row(row);
        assert!(row.iter().all(|value| value.is_finite()), "{name}: {row:?}");
        if task.is_classification() {
            assert!(row.iter().all(|p| (0.0..=1.0).contains(p)), "{name}: {row:?}");
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{name}: {row:?}");
        } else {
            assert!(row.windows(2).all(|pair| pair[0] <= pair[1]), "{name}: quantiles cross in {row:?}");
        }
    }
}

/// Bits of predictions, so that comparing them is comparing everything.
pub(crate) fn bits(predictions: &Predictions) -> Vec<u64> {
    predictions.values.iter().map(|value| value.to_bits()).collect()
}

/// All states made by damaging one thing in a state: a tensor, a part or a small value dropped, a tensor cut short,
/// lengthened, filled with extremes or changed in type.
pub(crate) fn damages(state: &State) -> Vec<State> {
    use kaizen_model::Tensor;
    let mut all = Vec::new();
    for name in state.tensors.keys() {
        let mut dropped = state.clone();
        dropped.tensors.remove(name);
        all.push(dropped);
        let tensor = &state.tensors[name];
        let variants: Vec<Tensor> = match tensor {
            Tensor::F64(values) => vec![
                Tensor::F64(values.iter().skip(1).copied().collect()),
                Tensor::F64(values.iter().copied().chain([1.0]).collect()),
                Tensor::F64(vec![f64::NAN; values.len()]),
                Tensor::F64(vec![f64::INFINITY; values.len()]),
                Tensor::U8(vec![0; values.len()]),
            ],
            Tensor::F32(values) => vec![
                Tensor::F32(values.iter().skip(1).copied().collect()),
                Tensor::F32(values.iter().copied().chain([1.0]).collect()),
                Tensor::F32(vec![f32::NAN; values.len()]),
            ],
            Tensor::U32(values) => vec![
                Tensor::U32(values.iter().skip(1).copied().collect()),
                Tensor::U32(values.iter().copied().chain([7]).collect()),
                Tensor::U32(vec![u32::MAX; values.len()]),
                Tensor::U32(vec![0; values.len()]),
                Tensor::U32(values.iter().rev().copied().collect()),
            ],
            Tensor::U16(values) => vec![
                Tensor::U16(values.iter().skip(1).copied().collect()),
                Tensor::U16(vec![u16::MAX; values.len()]),
            ],
            Tensor::U8(values) => vec![
                Tensor::U8(values.iter().skip(1).copied().collect()),
                Tensor::U8(vec![u8::MAX; values.len()]),
                Tensor::U8(vec![0; values.len()]),
            ],
        };
        for variant in variants {
            let mut damaged = state.clone();
            damaged.tensors.insert(name.clone(), variant);
            all.push(damaged);
        }
    }
    if let Some(map) = state.meta.as_object() {
        for key in map.keys() {
            for value in [
                None,
                Some(serde_json::json!(-1)),
                Some(serde_json::json!(1e18 as u64)),
                Some(serde_json::json!("x")),
            ] {
                let mut damaged = state.clone();
                let map = damaged.meta.as_object_mut().unwrap();
                match value {
                    Some(value) => map.insert(key.clone(), value),
                    None => map.remove(key),
                };
                all.push(damaged);
            }
        }
    }
    for (name, part) in &state.parts {
        let mut dropped = state.clone();
        dropped.parts.remove(name);
        all.push(dropped);
        for damaged_part in damages(part) {
            let mut damaged = state.clone();
            damaged.parts.insert(name.clone(), damaged_part);
            all.push(damaged);
        }
    }
    all
}

/// A model by its trait, for tests that only predict.
pub(crate) fn predict(model: &dyn Model, table: &Table) -> Predictions {
    model.predict(table).unwrap()
}
