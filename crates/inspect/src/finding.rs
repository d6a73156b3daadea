//! One thing that a person should know of a table.

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing to do.
    Info,
    /// May cost quality or honesty; look at it.
    Warning,
    /// The score would be wrong or the model useless unless this is dealt with.
    Critical,
    /// No model can be fitted.
    Blocking,
}

impl Severity {
    /// The word shown to people and written to JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Blocking => "blocking",
        }
    }
}

/// What was found; a closed list, so that a caller can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// Fewer rows than a model needs.
    TooFewRows,
    /// No column is left to predict from.
    NoFeatures,
    /// The target has one value only (regression).
    ConstantTarget,
    /// The target has one class only.
    SingleClass,
    /// The target has no value at all.
    EmptyTarget,
    /// The target's type does not fit the task that was asked for.
    WrongTargetType,
    /// Rows without a target value.
    MissingTarget,
    /// The task was a matter of judgement.
    DoubtfulTask,
    /// A feature that is the target under another name.
    TargetCopy,
    /// A feature that alone predicts the target too well.
    Leakage,
    /// A key or row number that tells the target.
    IdentifierLeak,
    /// One class has very few rows.
    RareClass,
    /// Classes are far from balanced.
    Imbalance,
    /// A long-tailed numeric target.
    SkewedTarget,
    /// A target with many equal values at one end of its range.
    CappedTarget,
    /// A target with a large share of zeros.
    ZeroTarget,
    /// More columns than rows can support.
    WideTable,
    /// Rows that occur more than once.
    DuplicateRows,
    /// Equal features, different target.
    ConflictingLabels,
    /// A saved row number.
    RowNumber,
    /// A key.
    Identifier,
    /// One value everywhere.
    ConstantColumn,
    /// Nearly one value everywhere.
    NearlyConstantColumn,
    /// No value anywhere.
    AllMissingColumn,
    /// Most values missing.
    MostlyMissingColumn,
    /// Two columns with the same cells.
    DuplicateColumns,
    /// Two columns that say nearly the same.
    NearCopies,
    /// Very many levels.
    HighCardinality,
    /// A number that seems to stand for a missing value.
    MissingCode,
    /// Rows stand in the order of time.
    TimeOrder,
    /// Neighbouring rows have alike targets.
    RowOrder,
    /// Rows are sorted by the target.
    SortedByTarget,
    /// Rows come in groups that share a target.
    Groups,
    /// The other table lacks columns.
    ColumnsMissingInOther,
    /// The other table has more columns.
    ColumnsExtraInOther,
    /// A column has another type in the other table.
    ColumnTypeDiffers,
    /// Levels in the other table that this one lacks.
    UnseenLevels,
    /// A column is distributed otherwise in the other table.
    Shift,
    /// Rows of this table are in the other one too.
    SharedRows,
}

impl FindingKind {
    /// The name in JSON, `snake_case`, never changed once released.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooFewRows => "too_few_rows",
            Self::NoFeatures => "no_features",
            Self::ConstantTarget => "constant_target",
            Self::SingleClass => "single_class",
            Self::EmptyTarget => "empty_target",
            Self::WrongTargetType => "wrong_target_type",
            Self::MissingTarget => "missing_target",
            Self::DoubtfulTask => "doubtful_task",
            Self::TargetCopy => "target_copy",
            Self::Leakage => "leakage",
            Self::IdentifierLeak => "identifier_leak",
            Self::RareClass => "rare_class",
            Self::Imbalance => "imbalance",
            Self::SkewedTarget => "skewed_target",
            Self::CappedTarget => "capped_target",
            Self::ZeroTarget => "zero_target",
            Self::WideTable => "wide_table",
            Self::DuplicateRows => "duplicate_rows",
            Self::ConflictingLabels => "conflicting_labels",
            Self::RowNumber => "row_number",
            Self::Identifier => "identifier",
            Self::ConstantColumn => "constant_column",
            Self::NearlyConstantColumn => "nearly_constant_column",
            Self::AllMissingColumn => "all_missing_column",
            Self::MostlyMissingColumn => "mostly_missing_column",
            Self::DuplicateColumns => "duplicate_columns",
            Self::NearCopies => "near_copies",
            Self::HighCardinality => "high_cardinality",
            Self::MissingCode => "missing_code",
            Self::TimeOrder => "time_order",
            Self::RowOrder => "row_order",
            Self::SortedByTarget => "sorted_by_target",
            Self::Groups => "groups",
            Self::ColumnsMissingInOther => "columns_missing_in_other",
            Self::ColumnsExtraInOther => "columns_extra_in_other",
            Self::ColumnTypeDiffers => "column_type_differs",
            Self::UnseenLevels => "unseen_levels",
            Self::Shift => "shift",
            Self::SharedRows => "shared_rows",
        }
    }
}

/// One number behind a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// What it is, `snake_case`, unit last.
    pub name: &'static str,
    /// Its value; finite.
    pub value: f64,
}

/// One thing found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// How much it matters.
    pub severity: Severity,
    /// The columns concerned, whole names; may be empty.
    pub columns: Vec<String>,
    /// Some of the rows concerned, counted from 0, at most [`crate::options::EXAMPLE_ROWS`]; may be empty.
    pub rows: Vec<u32>,
    /// The numbers behind it.
    pub evidence: Vec<Evidence>,
    /// What it is, one sentence.
    pub what: String,
    /// What Kaizen does about it by itself, one sentence.
    pub action: String,
    /// What the person may do, one sentence; empty when nothing is called for.
    pub advice: String,
}

impl Finding {
    /// A finding about `columns` with its first sentence; the rest is added by the methods below.
    pub(crate) fn new(
        kind: FindingKind,
        severity: Severity,
        columns: &[&str],
        what: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            severity,
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            rows: Vec::new(),
            evidence: Vec::new(),
            what: what.into(),
            action: String::new(),
            advice: String::new(),
        }
    }

    pub(crate) fn action(mut self, sentence: impl Into<String>) -> Self {
        self.action = sentence.into();
        self
    }

    pub(crate) fn advice(mut self, sentence: impl Into<String>) -> Self {
        self.advice = sentence.into();
        self
    }

    /// Adds a number; one that is not finite says nothing and is left out.
    pub(crate) fn evidence(mut self, name: &'static str, value: f64) -> Self {
        if value.is_finite() {
            self.evidence.push(Evidence { name, value });
        }
        self
    }

    pub(crate) fn rows(mut self, rows: impl IntoIterator<Item = u32>) -> Self {
        self.rows = rows.into_iter().take(crate::options::EXAMPLE_ROWS).collect();
        self
    }
}
