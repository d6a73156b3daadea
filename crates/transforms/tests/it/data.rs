//! A table with every kind of column and every kind of cell.

use std::sync::Arc;

use kaizen_base::{Seed, Signal};
use kaizen_model::{Ctx, Dataset, FitError, FittedTransform, Sample, Shape, State, Task, Tensor};
use kaizen_table::{Boolean, Category, Column, Sparse, Table, Time, Values};
use kaizen_transforms::Step;

const WORDS: [&str; 8] = ["red", "Blue", "GREEN", "9 lives", "über", "don't", "日本語", "a"];

/// All kinds of columns; missing cells in each that can have them.
pub(crate) fn table(rows: usize, seed: u64) -> Table {
    let mut rng = Seed(seed).rng();
    let text = |rng: &mut kaizen_base::Rng| -> Option<String> {
        let words: Vec<&str> = (0..rng.below(6)).map(|_| WORDS[rng.below(8)]).collect();
        (rng.uniform() > 0.1).then(|| words.join(" "))
    };
    let mut columns = vec![
        Column::number("x", (0..rows).map(|_| rng.normal() * 3.0 + 1.0).collect()),
        Column::number("positive", (0..rows).map(|_| rng.normal().abs() + 0.01).collect()),
        Column::number(
            "gappy",
            (0..rows).map(|_| if rng.uniform() < 0.2 { f64::NAN } else { rng.normal() }).collect(),
        ),
        Column::number("constant", vec![4.0; rows]),
        Column::number("empty", vec![f64::NAN; rows]),
        Column::number("huge", (0..rows).map(|_| rng.normal() * 1e300).collect()),
        Column::text("text", (0..rows).map(|_| text(&mut rng)).collect::<Vec<_>>()),
    ];
    columns.push(Column { name: "copy".to_owned(), values: columns[0].values.clone() });
    columns.push(Column {
        name: "flag".to_owned(),
        values: Values::Boolean(Boolean {
            values: (0..rows).map(|_| rng.below(3) as u8).collect(),
            names: ["no".to_owned(), "yes".to_owned()],
        }),
    });
    columns.push(Column {
        name: "moment".to_owned(),
        values: Values::Time(Time {
            seconds: (0..rows)
                .map(|_| if rng.uniform() < 0.1 { f64::NAN } else { 1.6e9 + 1e8 * rng.uniform() })
                .collect(),
            format: String::new(),
        }),
    });
    for (name, count) in [("few", 3), ("many", 60)] {
        let levels: Vec<String> = (0..count).map(|level| format!("level number {level}")).collect();
        let codes =
            (0..rows).map(|_| if rng.uniform() < 0.1 { u32::MAX } else { rng.below(count) as u32 }).collect();
        let values = Values::Category(Category { codes, levels: Arc::new(levels) });
        columns.push(Column { name: name.to_owned(), values });
    }
    let mut block = Sparse::new(40);
    for _ in 0..rows {
        let first = rng.below(20) as u32;
        block.push_row([(first, 0.6), (20 + rng.below(20) as u32, rng.uniform() as f32)]);
    }
    columns.push(Column { name: "block".to_owned(), values: Values::Sparse(block) });
    Table::from_columns(columns).unwrap()
}

/// A data set over [`table`] with a target of a task.
pub(crate) fn dataset(rows: usize, task: Task, seed: u64) -> Dataset {
    let mut rng = Seed(seed).child("target", 0).rng();
    let target = (0..rows)
        .map(|_| match &task {
            Task::Binary => rng.below(2) as f64,
            Task::Multiclass { class_count } => rng.below(*class_count) as f64,
            _ => rng.normal() * 5.0,
        })
        .collect();
    Dataset::new(table(rows, seed), task, Arc::new(target), None)
}

/// Shape of a data set.
pub(crate) fn shape(data: &Dataset) -> Shape {
    Shape {
        row_count: data.table.row_count(),
        column_count: data.table.columns().len(),
        category_count: 2,
        text_count: 1,
        task: data.task.clone(),
    }
}

/// Fits with the starting configuration.
pub(crate) fn fit(
    step: &dyn Step,
    data: &Dataset,
    train: &[u32],
) -> Result<Box<dyn FittedTransform>, FitError> {
    let ctx = Ctx { seed: Seed(5), signal: &Signal::new() };
    step.fit(&step.space(&shape(data)).start(), Sample { data, train, valid: None }, &ctx)
}

/// All cells as bits and strings, so that comparing them is comparing everything.
pub(crate) fn fingerprint(table: &Table) -> Vec<(String, String)> {
    let cells = |values: &Values| match values {
        Values::Number(number) => {
            format!("{:?}", number.values.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
        }
        Values::Sparse(block) => {
            format!("{:?}", (0..block.row_count()).map(|row| block.row(row)).collect::<Vec<_>>())
        }
        Values::Category(category) => {
            format!("{:?}", (0..category.codes.len()).map(|row| category.level(row)).collect::<Vec<_>>())
        }
        other => format!("{other:?}"),
    };
    table.columns().iter().map(|column| (column.name.clone(), cells(&column.values))).collect()
}

/// The numbers of a column.
pub(crate) fn numbers<'a>(table: &'a Table, name: &str) -> &'a [f64] {
    match &table.column(name).unwrap_or_else(|| panic!("no column {name}")).values {
        Values::Number(number) => &number.values,
        _ => panic!("{name} is not a number"),
    }
}

/// All states made by damaging one thing in a state.
pub(crate) fn damages(state: &State) -> Vec<State> {
    let mut all = Vec::new();
    for (name, tensor) in &state.tensors {
        let mut dropped = state.clone();
        dropped.tensors.remove(name);
        all.push(dropped);
        let variants = match tensor {
            Tensor::F64(values) => vec![
                Tensor::F64(values.iter().skip(1).copied().collect()),
                Tensor::F64(values.iter().copied().chain([0.0]).collect()),
                Tensor::F64(vec![f64::INFINITY; values.len()]),
                Tensor::F64(vec![f64::NAN; values.len()]),
            ],
            Tensor::F32(values) => vec![
                Tensor::F32(values.iter().skip(1).copied().collect()),
                Tensor::F32(vec![f32::INFINITY; values.len()]),
            ],
            Tensor::U32(values) => vec![
                Tensor::U32(values.iter().skip(1).copied().collect()),
                Tensor::U32(vec![u32::MAX; values.len()]),
                Tensor::U32(values.iter().rev().copied().collect()),
            ],
            Tensor::U16(values) => vec![Tensor::U16(vec![u16::MAX; values.len()])],
            Tensor::U8(values) => vec![
                Tensor::U8(values.iter().skip(1).copied().collect()),
                Tensor::U8(vec![0xff; values.len()]),
            ],
        };
        for variant in variants {
            let mut damaged = state.clone();
            damaged.tensors.insert(name.clone(), variant);
            all.push(damaged);
        }
    }
    for key in state.meta.as_object().into_iter().flat_map(|map| map.keys()) {
        for value in [
            serde_json::json!(-1),
            serde_json::json!(u64::MAX),
            serde_json::json!("x"),
            serde_json::json!(null),
        ] {
            let mut damaged = state.clone();
            damaged.meta.as_object_mut().unwrap().insert(key.clone(), value);
            all.push(damaged);
        }
        let mut dropped = state.clone();
        dropped.meta.as_object_mut().unwrap().remove(key);
        all.push(dropped);
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

/// A state as text, in which NaN equals NaN.
pub(crate) fn written(state: &State) -> String {
    format!("{state:?}")
}
