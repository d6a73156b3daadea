//! The JSON form of an inspection: versioned, apart from the inner types, so that either can change alone.

use kaizen_table::SplitPlan;
use serde::Serialize;

use crate::finding::Finding;
use crate::inspection::Inspection;
use crate::profile::{ColumnProfile, Role};
use crate::target::TargetSummary;
use crate::words::shorten;

/// Version of the JSON form. Fields may be added under one version; any other change raises it.
pub const WIRE_VERSION: u32 = 1;

/// Longest cell written to JSON, in characters; names are written whole.
const CELL_CHARACTERS: usize = 200;

#[derive(Serialize)]
struct WireInspection<'a> {
    version: u32,
    rows: usize,
    size_bytes: usize,
    target: Option<WireTarget<'a>>,
    split: Option<WireSplit<'a>>,
    dropped: Vec<&'a str>,
    findings: Vec<WireFinding<'a>>,
    columns: Vec<WireColumn<'a>>,
}

#[derive(Serialize)]
struct WireTarget<'a> {
    name: &'a str,
    task: &'static str,
    why: &'a str,
    doubtful: bool,
    missing: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<Vec<WireLevel>>,
}

#[derive(Serialize)]
struct WireSplit<'a> {
    plan: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    folds: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeats: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holdout_share: Option<f64>,
    group: Option<&'a str>,
    time_column: Option<&'a str>,
    reason: &'a str,
}

#[derive(Serialize)]
struct WireFinding<'a> {
    kind: &'static str,
    severity: &'static str,
    columns: &'a [String],
    rows: &'a [u32],
    evidence: serde_json::Map<String, serde_json::Value>,
    what: &'a str,
    action: &'a str,
    advice: &'a str,
}

#[derive(Serialize)]
struct WireColumn<'a> {
    name: &'a str,
    kind: &'static str,
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate_of: Option<&'a str>,
    missing: usize,
    distinct: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    numbers: Option<WireNumbers>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    levels: Vec<WireLevel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<WireText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    histogram: Option<WireHistogram<'a>>,
}

#[derive(Serialize)]
struct WireNumbers {
    min: f64,
    quartile_1: f64,
    median: f64,
    quartile_3: f64,
    max: f64,
    mean: f64,
    deviation: f64,
    skewness: f64,
    zero_share: f64,
}

#[derive(Serialize)]
struct WireLevel {
    value: String,
    count: usize,
}

#[derive(Serialize)]
struct WireText {
    bytes_min: usize,
    bytes_mean: f64,
    bytes_max: usize,
    words_mean: f64,
}

#[derive(Serialize)]
struct WireHistogram<'a> {
    low: f64,
    high: f64,
    counts: &'a [usize],
}

/// The inspection as one JSON object; numbers are finite, cells longer than 200 characters are cut.
pub fn to_json(inspection: &Inspection) -> serde_json::Value {
    let target = inspection.target.as_ref().map(|target| WireTarget {
        name: &target.name,
        task: target.decision.task.word(),
        why: &target.decision.why,
        doubtful: target.decision.doubtful,
        missing: target.missing_count,
        classes: match &target.summary {
            TargetSummary::Classes(classes) => Some(
                classes
                    .iter()
                    .map(|(value, count)| WireLevel { value: shorten(value, CELL_CHARACTERS), count: *count })
                    .collect(),
            ),
            TargetSummary::Numbers(_) => None,
        },
    });
    let split = inspection.split.as_ref().map(|split| {
        let (plan, folds, repeats, holdout_share) = match split.plan {
            SplitPlan::Shuffled { folds, repeats } => ("shuffled", Some(folds), Some(repeats), None),
            SplitPlan::Grouped { folds } => ("grouped", Some(folds), None, None),
            SplitPlan::Forward { folds } => ("forward", Some(folds), None, None),
            SplitPlan::Holdout { per_thousand } => {
                ("holdout", None, None, Some(f64::from(per_thousand) / 1000.0))
            }
        };
        WireSplit {
            plan,
            folds,
            repeats,
            holdout_share,
            group: split.group.as_deref(),
            time_column: split.time_column.as_deref(),
            reason: &split.reason,
        }
    });
    let wire = WireInspection {
        version: WIRE_VERSION,
        rows: inspection.row_count,
        size_bytes: inspection.size_bytes,
        target,
        split,
        dropped: inspection.dropped().map(|column| column.name.as_str()).collect(),
        findings: inspection.findings.iter().map(wire_finding).collect(),
        columns: inspection.columns.iter().map(wire_column).collect(),
    };
    // Structs of strings and finite numbers with fixed field names always serialize.
    serde_json::to_value(&wire).unwrap_or_default()
}

fn wire_finding(finding: &Finding) -> WireFinding<'_> {
    WireFinding {
        kind: finding.kind.name(),
        severity: finding.severity.word(),
        columns: &finding.columns,
        rows: &finding.rows,
        evidence: finding.evidence.iter().map(|each| (each.name.to_owned(), each.value.into())).collect(),
        what: &finding.what,
        action: &finding.action,
        advice: &finding.advice,
    }
}

fn wire_column(column: &ColumnProfile) -> WireColumn<'_> {
    WireColumn {
        name: &column.name,
        kind: column.kind,
        role: column.role.word(),
        duplicate_of: match &column.role {
            Role::DuplicateOf(original) => Some(original),
            _ => None,
        },
        missing: column.missing_count,
        distinct: column.distinct_count,
        numbers: column.number.map(|number| WireNumbers {
            min: number.min,
            quartile_1: number.quartile_1,
            median: number.median,
            quartile_3: number.quartile_3,
            max: number.max,
            mean: number.mean,
            deviation: number.deviation,
            skewness: number.skewness,
            zero_share: number.zero_share,
        }),
        levels: column
            .levels
            .iter()
            .map(|level| WireLevel { value: shorten(&level.value, CELL_CHARACTERS), count: level.count })
            .collect(),
        text: column.text.map(|text| WireText {
            bytes_min: text.bytes_min,
            bytes_mean: text.bytes_mean,
            bytes_max: text.bytes_max,
            words_mean: text.words_mean,
        }),
        histogram: column.histogram.as_ref().map(|histogram| WireHistogram {
            low: histogram.low,
            high: histogram.high,
            counts: &histogram.counts,
        }),
    }
}
