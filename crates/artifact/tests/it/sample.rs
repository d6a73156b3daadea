//! A small artifact with something of everything, equal to the one in `tests/golden/v1.kaizen`.

use std::collections::BTreeMap;
use std::sync::Arc;

use kaizen_artifact::{Artifact, DataSource, Manifest, Score, SigningKey};
use kaizen_base::Digest;
use kaizen_model::{State, Task, Tensor};
use kaizen_table::{Field, FieldKind, NumberStyle, Schema};
use serde_json::json;

/// The published key of the goldens.
#[expect(clippy::expect_used, reason = "the key stands in the repository")]
pub(crate) fn key() -> SigningKey {
    SigningKey::from_pem(include_str!("../golden/key.pem")).expect("the golden key is a key")
}

/// Long enough to be stored as tensors instead of JSON.
pub(crate) fn long_levels() -> Vec<String> {
    (0..1000).map(|index| format!("größe {index:04}")).collect()
}

fn field(name: &str, kind: FieldKind) -> Field {
    Field { name: name.to_owned(), kind }
}

fn schema() -> Schema {
    let decimal_comma = NumberStyle { decimal: b',', thousands: Some(b'.'), percent: true, currency: false };
    let short = vec!["Torgersen".to_owned(), String::new(), "a/b~c".to_owned()];
    Schema {
        fields: vec![
            field("plain", FieldKind::Number { integer: true, style: NumberStyle::default() }),
            field("styled", FieldKind::Number { integer: false, style: decimal_comma }),
            field("switch", FieldKind::Boolean { names: ["no".to_owned(), "yes".to_owned()] }),
            field("island", FieldKind::Category { levels: Arc::new(short) }),
            field("size", FieldKind::Category { levels: Arc::new(long_levels()) }),
            field("day", FieldKind::Time { format: "%Y-%m-%d".to_owned() }),
            field("note", FieldKind::Text),
        ],
    }
}

fn state() -> State {
    let leaf = State::new(json!({"name": "linear", "rate": 0.1}))
        .with("weights", Tensor::F64(vec![0.1, -0.0, f64::NEG_INFINITY, f64::MIN_POSITIVE]))
        .with("thresholds", Tensor::F32(vec![1.5, f32::MAX]))
        .with("codes/of~it", Tensor::U16(vec![0, u16::MAX]));
    let trees = State::default()
        .with("features", Tensor::U32((0..100).collect()))
        .with("empty", Tensor::U8(Vec::new()));
    State::new(json!({"kind": "ensemble", "weights": [0.25, 0.75], "text": "ß \u{0} \" \\"}))
        .with("bytes", Tensor::U8(vec![0, 1, 255]))
        .with_part("0/first", leaf)
        .with_part("1", State::new(json!(null)).with_part("inner", trees))
}

/// The artifact itself.
pub(crate) fn artifact() -> Artifact {
    let mut manifest = Manifest::new(Task::Multiclass { class_count: 3 }, "species");
    "0.1.0".clone_into(&mut manifest.kaizen_version);
    manifest.classes = ["Adelie", "Chinstrap", "Gentoo"].map(str::to_owned).to_vec();
    manifest.inputs = schema();
    "log_loss".clone_into(&mut manifest.metric);
    manifest.scores = BTreeMap::from([
        ("accuracy".to_owned(), Score { value: 0.99, low: 0.97, high: 1.0 }),
        ("log_loss".to_owned(), Score { value: 0.1 + 0.2, low: f64::NAN, high: f64::NAN }),
    ]);
    manifest.seeds = BTreeMap::from([("fit".to_owned(), u64::MAX)]);
    manifest.data = vec![DataSource {
        name: "penguins.csv".to_owned(),
        row_count: 344,
        column_count: 7,
        digest: Digest::of(b"penguins"),
    }];
    manifest.sections = BTreeMap::from([("search".to_owned(), json!({"trials": 12, "seconds": 3.5}))]);
    Artifact {
        manifest,
        state: state(),
        report_html: "<!doctype html><title>Kaizen</title>".to_owned(),
        card: json!({"model": "kaizen", "limits": ["penguins only"]}),
        history: "{\"event\":\"started\"}\n{\"event\":\"done\"}\n".to_owned(),
    }
}
