//! Files of the dirty set whose troubles are an inspection's to find.

use kaizen_inspect::{FindingKind, Inspection, Options, Role, Severity, TaskHint, TaskKind, inspect};
use kaizen_table::Table;

use crate::reader::{read, shared};

fn look(file: &str, target: &str) -> Option<(Table, Inspection)> {
    let table = read(&shared(&format!("dirty/{file}"))?);
    let inspection = inspect(&table, Some((target, TaskHint::Auto)), &Options::default()).unwrap();
    Some((table, inspection))
}

fn kinds(inspection: &Inspection) -> Vec<FindingKind> {
    inspection.findings.iter().map(|finding| finding.kind).collect()
}

fn dropped(inspection: &Inspection) -> Vec<&str> {
    inspection.dropped().map(|column| column.name.as_str()).collect()
}

#[test]
fn survey_with_a_key_stored_as_a_large_number() {
    let Some((table, found)) = look("r13_survey_many_nulls.csv", "Gender") else { return };
    assert_eq!((table.row_count(), table.columns().len()), (1040, 27));
    assert_eq!(found.column("RespondentID").unwrap().role, Role::Identifier);
    assert!(kinds(&found).contains(&FindingKind::MissingTarget));
}

#[test]
fn employees_with_constants_and_a_key_with_gaps() {
    let Some((_, found)) = look("r03_bom_header.csv", "Attrition") else { return };
    assert_eq!(dropped(&found), ["EmployeeCount", "EmployeeNumber", "Over18", "StandardHours"]);
    assert!(!kinds(&found).contains(&FindingKind::Leakage));
}

#[test]
fn users_that_repeat_are_many_levels_but_no_key() {
    let Some((_, found)) = look("c07_high_cardinality_10k.csv", "y") else { return };
    assert_eq!(dropped(&found), Vec::<&str>::new());
    assert!(kinds(&found).contains(&FindingKind::HighCardinality));
    // Users stand shuffled, so nothing says that new users will come: a group is proposed, not imposed.
    let group = found.findings.iter().find(|finding| finding.kind == FindingKind::Groups).unwrap();
    assert!(group.advice.contains("--group user"));
    assert_eq!(found.split.unwrap().group, None);
}

#[test]
fn huge_integers_and_telephone_numbers_are_keys() {
    let Some((_, found)) = look("c09_huge_ints.csv", "y") else { return };
    let dropped = dropped(&found);
    assert!(dropped.contains(&"account") && dropped.contains(&"phone"), "{dropped:?}");
    assert_eq!(found.column("x").unwrap().role, Role::Feature);
}

#[test]
fn a_missing_target_is_no_class() {
    let Some((_, found)) = look("c10_target_missing.csv", "income") else { return };
    let target = found.target.as_ref().unwrap();
    assert_eq!((target.decision.task, target.missing_count), (TaskKind::Binary, 450));
}

#[test]
fn nothing_to_predict_blocks() {
    let check = |file: &str, target: &str, kind| {
        let Some((_, found)) = look(file, target) else { return };
        let blocking: Vec<FindingKind> = found.blocking().map(|finding| finding.kind).collect();
        assert_eq!(blocking, [kind], "{file}");
        assert!(found.split.is_none(), "{file}");
    };
    check("c11_constant_target_regression.csv", "median_house_value", FindingKind::ConstantTarget);
    check("c12_single_class.csv", "class", FindingKind::SingleClass);
}

#[test]
fn one_row_blocks() {
    let Some((_, found)) = look("c03_one_row.csv", "rings") else { return };
    assert!(found.blocking().any(|finding| finding.kind == FindingKind::TooFewRows));
}

#[test]
fn empty_and_constant_columns_are_listed_and_an_almost_constant_one_stays() {
    let Some((_, found)) = look("c14_all_null_and_constant.csv", "survived") else { return };
    let dropped = dropped(&found);
    assert_eq!(
        dropped,
        ["empty_0", "empty_1", "empty_2", "empty_3", "empty_4", "const", "const_num"],
        "{dropped:?}"
    );
    assert_eq!(found.column("almost_const").unwrap().role, Role::Feature);
}

#[test]
fn a_copy_of_the_target_is_dropped_and_a_noisy_one_is_named() {
    let Some((_, found)) = look("c26_target_leak.csv", "income") else { return };
    assert_eq!(found.column("income_code").unwrap().role, Role::TargetCopy);
    assert!(dropped(&found).contains(&"id"));
    let leak = found.findings.iter().find(|finding| finding.kind == FindingKind::Leakage).unwrap();
    assert_eq!(
        (leak.severity, leak.columns.as_slice()),
        (Severity::Critical, ["noisy_copy".to_owned()].as_slice())
    );
}

#[test]
fn more_columns_than_rows_is_said_and_no_leak_is_seen_in_noise() {
    let Some((_, found)) = look("c28_wide_60x4000.csv", "y") else { return };
    let kinds = kinds(&found);
    assert!(kinds.contains(&FindingKind::WideTable));
    assert!(!kinds.contains(&FindingKind::Leakage) && !kinds.contains(&FindingKind::TargetCopy));
}

#[test]
fn a_saved_index_is_dropped() {
    let Some((table, found)) = look("c43_saved_index.csv", "rings") else { return };
    assert_eq!(dropped(&found), [table.columns()[0].name.as_str()]);
    assert!(kinds(&found).contains(&FindingKind::RowNumber));
}

#[test]
fn eight_frauds_in_forty_thousand() {
    let Some((_, found)) = look("c39_imbalance_8_in_40000.csv", "fraud") else { return };
    let kinds = kinds(&found);
    assert!(kinds.contains(&FindingKind::Imbalance) && kinds.contains(&FindingKind::RareClass));
    assert!(!kinds.contains(&FindingKind::Leakage));
}

#[test]
fn a_rating_is_a_doubtful_task() {
    let Some((_, found)) = look("c50_int_target_ambiguous.csv", "y") else { return };
    let target = found.target.as_ref().unwrap();
    assert!(target.decision.doubtful && target.decision.task == TaskKind::Multiclass);
    assert!(kinds(&found).contains(&FindingKind::DoubtfulTask));
}

#[test]
fn a_test_file_with_other_columns_and_levels() {
    let (Some(train), Some(other)) =
        (shared("dirty/c37_train.csv"), shared("dirty/c37_test_shifted_schema.csv"))
    else {
        return;
    };
    let (table, other) = (read(&train), read(&other));
    let options = Options { other: Some(&other), ..Options::default() };
    let found = inspect(&table, Some(("income", TaskHint::Auto)), &options).unwrap();
    let of_kind = |kind| -> Vec<&str> {
        let findings = found.findings.iter().filter(|finding| finding.kind == kind);
        findings.flat_map(|finding| finding.columns.iter().map(String::as_str)).collect()
    };
    assert_eq!(of_kind(FindingKind::ColumnsMissingInOther), ["capital_loss"]);
    assert_eq!(of_kind(FindingKind::ColumnsExtraInOther).len(), 1);
    assert!(!of_kind(FindingKind::UnseenLevels).is_empty());
    // A fifth of the rows got a level of their own; the rest was drawn from the same source.
    assert_eq!(of_kind(FindingKind::Shift), ["workclass"]);
}
