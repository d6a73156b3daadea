//! `manifest.json` as it stands in the file: versioned structs of their own, so that inner types may change freely.
//!
//! A new format gets a new struct and a conversion from the one before; readers of old files then run through the
//! chain. Unknown fields are refused: within one format there are none.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use kaizen_base::Digest;
use kaizen_model::{State, Task, Tensor};
use kaizen_table::schema::{Field, FieldKind, NumberStyle, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::FORMAT_VERSION;
use crate::archive::{MANIFEST, TENSORS};
use crate::error::ArtifactError;
use crate::limits::Limits;
use crate::manifest::{DataSource, Manifest, Score};
use crate::tensors::{Tensors, join};

/// Root of the tensors of the pipeline.
pub(crate) const STATE_ROOT: &str = "state";
/// Root of the tensors of the schema.
const SCHEMA_ROOT: &str = "schema";
/// Category levels longer than this together go to the tensors: JSON parses some hundred times slower than a copy.
const INLINE_LEVELS_BYTES: usize = 4096;

/// The fields that every format has, read before the rest.
#[derive(Deserialize)]
struct Head {
    format_version: u32,
    #[serde(default)]
    kaizen_version: String,
}

/// Format 1.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManifestV1<'a> {
    format_version: u32,
    kaizen_version: String,
    task: TaskV1,
    target: String,
    classes: Vec<String>,
    inputs: Vec<FieldV1>,
    metric: String,
    scores: BTreeMap<String, ScoreV1>,
    seeds: BTreeMap<String, SeedV1>,
    data: Vec<DataSourceV1>,
    sections: BTreeMap<String, Value>,
    pub(crate) entries: BTreeMap<String, EntryV1>,
    pipeline: StateV1<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum TaskV1 {
    Binary,
    Multiclass { class_count: usize },
    Regression,
    Quantile { levels: Vec<f64> },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldV1 {
    name: String,
    kind: FieldKindV1,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum FieldKindV1 {
    Number { integer: bool, decimal: char, thousands: Option<char>, percent: bool, currency: bool },
    Boolean { names: [String; 2] },
    Category { levels: LevelsV1 },
    Time { format: String },
    Text,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum LevelsV1 {
    /// The levels themselves.
    Inline(Vec<String>),
    /// Tensors `<path>/text` (UTF-8, joined) and `<path>/ends` (where each level ends).
    Tensor { tensor: String },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScoreV1 {
    value: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
}

/// Seeds are text: many JSON readers round integers above 2^53.
#[derive(Serialize, Deserialize)]
struct SeedV1(String);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DataSourceV1 {
    name: String,
    row_count: u64,
    column_count: u64,
    sha256: String,
}

/// Length and digest of an entry.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntryV1 {
    pub(crate) size_bytes: u64,
    pub(crate) sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateV1<'a> {
    #[serde(default, skip_serializing_if = "is_null")]
    meta: Cow<'a, Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    parts: BTreeMap<Cow<'a, str>, StateV1<'a>>,
}

#[expect(clippy::ptr_arg, reason = "serde passes the field by reference")]
fn is_null(value: &Cow<'_, Value>) -> bool {
    value.is_null()
}

/// The small and the large half of a manifest.
pub(crate) struct Written<'a> {
    manifest: ManifestV1<'a>,
    /// Tensors of the schema, to be stored with those of the pipeline.
    pub(crate) tensors: Tensors,
}

/// Turns a manifest and its pipeline into their stored form.
///
/// # Errors
/// [`ArtifactError::Unstorable`].
pub(crate) fn write<'a>(manifest: &Manifest, state: &'a State) -> Result<Written<'a>, ArtifactError> {
    check_classes(manifest).map_err(|why| ArtifactError::unstorable(MANIFEST, why))?;
    let mut tensors = Tensors::new();
    let inputs = manifest
        .inputs
        .fields
        .iter()
        .enumerate()
        .map(|(index, field)| write_field(index, field, &mut tensors))
        .collect::<Result<_, _>>()?;
    let scores = manifest.scores.iter().map(|(name, score)| (name.clone(), ScoreV1::from(score)));
    let seeds = manifest.seeds.iter().map(|(name, seed)| (name.clone(), SeedV1(seed.to_string())));
    let manifest = ManifestV1 {
        format_version: FORMAT_VERSION,
        kaizen_version: manifest.kaizen_version.clone(),
        task: TaskV1::from(&manifest.task),
        target: manifest.target.clone(),
        classes: manifest.classes.clone(),
        inputs,
        metric: manifest.metric.clone(),
        scores: scores.collect(),
        seeds: seeds.collect(),
        data: manifest.data.iter().map(DataSourceV1::from).collect(),
        sections: manifest.sections.clone(),
        entries: BTreeMap::new(),
        pipeline: write_state(state, 0)?,
    };
    Ok(Written { manifest, tensors })
}

impl Written<'_> {
    /// The text of the manifest, with the digests of all other entries.
    ///
    /// # Errors
    /// [`ArtifactError::Unstorable`].
    pub(crate) fn finish(mut self, entries: BTreeMap<String, EntryV1>) -> Result<Vec<u8>, ArtifactError> {
        self.manifest.entries = entries;
        serde_json::to_vec(&self.manifest)
            .map_err(|error| ArtifactError::unstorable(MANIFEST, error.to_string()))
    }
}

fn write_state(state: &State, depth: u64) -> Result<StateV1<'_>, ArtifactError> {
    if depth >= Limits::default().state_depth {
        return Err(ArtifactError::unstorable(MANIFEST, "its parts are nested too deeply"));
    }
    let mut parts = BTreeMap::new();
    for (name, part) in &state.parts {
        parts.insert(Cow::Borrowed(name.as_str()), write_state(part, depth + 1)?);
    }
    Ok(StateV1 { meta: Cow::Borrowed(&state.meta), parts })
}

fn write_field(index: usize, field: &Field, tensors: &mut Tensors) -> Result<FieldV1, ArtifactError> {
    let kind = match &field.kind {
        FieldKind::Number { integer, style } => FieldKindV1::Number {
            integer: *integer,
            decimal: char::from(style.decimal),
            thousands: style.thousands.map(char::from),
            percent: style.percent,
            currency: style.currency,
        },
        FieldKind::Boolean { names } => FieldKindV1::Boolean { names: names.clone() },
        FieldKind::Category { levels } => {
            FieldKindV1::Category { levels: write_levels(index, levels, tensors)? }
        }
        FieldKind::Time { format } => FieldKindV1::Time { format: format.clone() },
        FieldKind::Text => FieldKindV1::Text,
    };
    Ok(FieldV1 { name: field.name.clone(), kind })
}

fn write_levels(index: usize, levels: &[String], tensors: &mut Tensors) -> Result<LevelsV1, ArtifactError> {
    let size_bytes: usize = levels.iter().map(String::len).sum();
    if size_bytes.max(levels.len()) <= INLINE_LEVELS_BYTES {
        return Ok(LevelsV1::Inline(levels.to_vec()));
    }
    let path = join(SCHEMA_ROOT, &index.to_string());
    let mut ends = Vec::with_capacity(levels.len());
    let mut text = Vec::with_capacity(size_bytes);
    for level in levels {
        text.extend_from_slice(level.as_bytes());
        let end = u32::try_from(text.len())
            .map_err(|_| ArtifactError::unstorable(path.as_str(), "its levels take 4 GiB and more"))?;
        ends.push(end);
    }
    tensors.insert(join(&path, "text"), Tensor::U8(text));
    tensors.insert(join(&path, "ends"), Tensor::U32(ends));
    Ok(LevelsV1::Tensor { tensor: path })
}

/// Parses a manifest of any known format.
///
/// # Errors
/// [`ArtifactError::TooNew`], [`ArtifactError::TooLarge`] or [`ArtifactError::Damaged`].
pub(crate) fn parse<'a>(text: &[u8], limits: &Limits) -> Result<ManifestV1<'a>, ArtifactError> {
    limits.check_json(text)?;
    let damaged = |error: serde_json::Error| ArtifactError::damaged(MANIFEST, error.to_string());
    let head: Head = serde_json::from_slice(text).map_err(damaged)?;
    match head.format_version {
        1 => serde_json::from_slice(text).map_err(damaged),
        0 => Err(ArtifactError::damaged(MANIFEST, "there is no format 0")),
        found => Err(ArtifactError::TooNew {
            found,
            supported: FORMAT_VERSION,
            // Written by others and printed on a terminal: keep it short and plain.
            writer: head.kaizen_version.chars().filter(char::is_ascii_graphic).take(40).collect(),
        }),
    }
}

impl ManifestV1<'_> {
    /// The manifest, and the pipeline still without its tensors. Takes the tensors of the schema out of `tensors`.
    ///
    /// # Errors
    /// [`ArtifactError::TooLarge`] or [`ArtifactError::Damaged`].
    pub(crate) fn restore(
        self,
        tensors: &mut Tensors,
        limits: &Limits,
    ) -> Result<(Manifest, State), ArtifactError> {
        let mut fields = Vec::with_capacity(self.inputs.len());
        for field in self.inputs {
            fields.push(Field { name: field.name, kind: restore_kind(field.kind, tensors)? });
        }
        let mut seeds = BTreeMap::new();
        for (name, SeedV1(text)) in self.seeds {
            let seed = text.parse().map_err(|_| ArtifactError::damaged(MANIFEST, "a seed is no number"))?;
            seeds.insert(name, seed);
        }
        let data = self.data.into_iter().map(DataSourceV1::restore).collect::<Result<_, _>>()?;
        let manifest = Manifest {
            kaizen_version: self.kaizen_version,
            task: self.task.into(),
            target: self.target,
            classes: self.classes,
            inputs: Schema { fields },
            metric: self.metric,
            scores: self.scores.into_iter().map(|(name, score)| (name, score.into())).collect(),
            seeds,
            data,
            sections: self.sections,
        };
        check_classes(&manifest).map_err(|why| ArtifactError::damaged(MANIFEST, why))?;
        Ok((manifest, self.pipeline.restore(0, limits)?))
    }
}

/// Class names and task have to agree, for predictions are indexed by one and named by the other.
fn check_classes(manifest: &Manifest) -> Result<(), String> {
    let expected = if manifest.task.is_classification() { manifest.task.output_count() } else { 0 };
    if manifest.classes.len() == expected {
        Ok(())
    } else {
        Err(format!("{} class names where the task has {expected}", manifest.classes.len()))
    }
}

impl StateV1<'_> {
    fn restore(self, depth: u64, limits: &Limits) -> Result<State, ArtifactError> {
        Limits::check("the pipeline (nesting)", depth + 1, limits.state_depth)?;
        let mut state = State::new(self.meta.into_owned());
        for (name, part) in self.parts {
            state.parts.insert(name.into_owned(), part.restore(depth + 1, limits)?);
        }
        Ok(state)
    }
}

fn restore_kind(kind: FieldKindV1, tensors: &mut Tensors) -> Result<FieldKind, ArtifactError> {
    let byte = |sign: char| {
        u8::try_from(sign)
            .ok()
            .filter(u8::is_ascii)
            .ok_or_else(|| ArtifactError::damaged(MANIFEST, "a sign in numbers is not ASCII"))
    };
    Ok(match kind {
        FieldKindV1::Number { integer, decimal, thousands, percent, currency } => FieldKind::Number {
            integer,
            style: NumberStyle {
                decimal: byte(decimal)?,
                thousands: thousands.map(byte).transpose()?,
                percent,
                currency,
            },
        },
        FieldKindV1::Boolean { names } => FieldKind::Boolean { names },
        FieldKindV1::Category { levels: LevelsV1::Inline(levels) } => {
            FieldKind::Category { levels: Arc::new(levels) }
        }
        FieldKindV1::Category { levels: LevelsV1::Tensor { tensor } } => {
            FieldKind::Category { levels: Arc::new(restore_levels(&tensor, tensors)?) }
        }
        FieldKindV1::Time { format } => FieldKind::Time { format },
        FieldKindV1::Text => FieldKind::Text,
    })
}

fn restore_levels(path: &str, tensors: &mut Tensors) -> Result<Vec<String>, ArtifactError> {
    let damaged = |why: &str| ArtifactError::damaged(TENSORS, format!("`{path}`: {why}"));
    let mut take = |name| tensors.remove(&join(path, name));
    let (Some(Tensor::U8(text)), Some(Tensor::U32(ends))) = (take("text"), take("ends")) else {
        return Err(damaged("the levels are missing or of another type"));
    };
    let text = std::str::from_utf8(&text).map_err(|_| damaged("the levels are not UTF-8"))?;
    let mut levels = Vec::with_capacity(ends.len());
    let mut start = 0;
    for end in ends {
        let end = end as usize;
        let level = text.get(start..end).ok_or_else(|| damaged("the ends of levels do not ascend"))?;
        levels.push(level.to_owned());
        start = end;
    }
    if start == text.len() { Ok(levels) } else { Err(damaged("the last level does not end the text")) }
}

impl From<&Task> for TaskV1 {
    fn from(task: &Task) -> Self {
        match task {
            Task::Binary => Self::Binary,
            Task::Multiclass { class_count } => Self::Multiclass { class_count: *class_count },
            Task::Regression => Self::Regression,
            Task::Quantile { levels } => Self::Quantile { levels: levels.clone() },
        }
    }
}

impl From<TaskV1> for Task {
    fn from(task: TaskV1) -> Self {
        match task {
            TaskV1::Binary => Self::Binary,
            TaskV1::Multiclass { class_count } => Self::Multiclass { class_count },
            TaskV1::Regression => Self::Regression,
            TaskV1::Quantile { levels } => Self::Quantile { levels },
        }
    }
}

impl From<&Score> for ScoreV1 {
    fn from(score: &Score) -> Self {
        let known = |value: f64| value.is_finite().then_some(value);
        Self { value: known(score.value), low: known(score.low), high: known(score.high) }
    }
}

impl From<ScoreV1> for Score {
    fn from(score: ScoreV1) -> Self {
        let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
        Self { value: number(score.value), low: number(score.low), high: number(score.high) }
    }
}

impl From<&DataSource> for DataSourceV1 {
    fn from(source: &DataSource) -> Self {
        Self {
            name: source.name.clone(),
            row_count: source.row_count,
            column_count: source.column_count,
            sha256: source.digest.to_string(),
        }
    }
}

impl DataSourceV1 {
    fn restore(self) -> Result<DataSource, ArtifactError> {
        let digest = Digest::parse(&self.sha256)
            .ok_or_else(|| ArtifactError::damaged(MANIFEST, "a data digest is not a SHA-256"))?;
        let Self { name, row_count, column_count, .. } = self;
        Ok(DataSource { name, row_count, column_count, digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_formats_are_named_with_what_wrote_them() {
        let text = br#"{"format_version": 9, "kaizen_version": "7.1\u001b[31m", "mystery": [1]}"#;
        let Err(ArtifactError::TooNew { found: 9, supported: 1, writer }) = parse(text, &Limits::default())
        else {
            panic!("a later format must be refused as such");
        };
        assert_eq!(writer, "7.1[31m");
        assert!(matches!(
            parse(br#"{"format_version": 0}"#, &Limits::default()),
            Err(ArtifactError::Damaged { .. })
        ));
        assert!(parse(b"{}", &Limits::default()).is_err());
    }

    #[test]
    fn damaged_levels_are_refused() {
        let tensors = |text: &[u8], ends: &[u32]| {
            Tensors::from([
                ("schema/0/text".to_owned(), Tensor::U8(text.to_vec())),
                ("schema/0/ends".to_owned(), Tensor::U32(ends.to_vec())),
            ])
        };
        let read = |text: &[u8], ends: &[u32]| restore_levels("schema/0", &mut tensors(text, ends));
        assert_eq!(read("aüb".as_bytes(), &[1, 3, 3, 4]).unwrap(), ["a", "ü", "", "b"]);
        assert!(read("aüb".as_bytes(), &[1, 2, 4]).is_err(), "inside a character");
        assert!(read(b"abc", &[2, 1, 3]).is_err(), "backwards");
        assert!(read(b"abc", &[2]).is_err(), "text left over");
        assert!(read(b"abc", &[4]).is_err(), "past the end");
        assert!(read(&[0xff], &[1]).is_err(), "not UTF-8");
        assert!(restore_levels("schema/1", &mut tensors(b"", &[])).is_err(), "missing");
    }
}
