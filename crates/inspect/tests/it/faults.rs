//! Made-up tables, each with one fault, and their twins without it.

use kaizen_base::{Rng, Seed};
use kaizen_inspect::{FindingKind, Inspection, Options, Role, Severity, TaskHint, inspect};
use kaizen_table::{Column, SplitPlan, Table, Time, Values};

const ROWS: usize = 2_000;

fn noise(name: &str, rng: &mut Rng) -> Column {
    Column::number(name, (0..ROWS).map(|_| rng.normal()).collect())
}

fn classes(rng: &mut Rng) -> Column {
    Column::number("y", (0..ROWS).map(|_| rng.below(2) as f64).collect())
}

fn look(columns: Vec<Column>) -> Inspection {
    let table = Table::from_columns(columns).unwrap();
    inspect(&table, Some(("y", TaskHint::Auto)), &Options::default()).unwrap()
}

fn has(found: &Inspection, kind: FindingKind) -> bool {
    found.findings.iter().any(|finding| finding.kind == kind)
}

fn evidence(found: &Inspection, kind: FindingKind, name: &str) -> f64 {
    let finding = found.findings.iter().find(|finding| finding.kind == kind).unwrap();
    finding.evidence.iter().find(|each| each.name == name).unwrap().value
}

fn days(name: &str, day: impl Fn(usize) -> f64) -> Column {
    let seconds = (0..ROWS).map(|row| day(row) * 86_400.0).collect();
    Column { name: name.to_owned(), values: Values::Time(Time { seconds, format: String::new() }) }
}

#[test]
fn a_clean_table_has_no_findings() {
    let mut rng = Seed(11).rng();
    let found = look(vec![noise("a", &mut rng), noise("b", &mut rng), classes(&mut rng)]);
    assert_eq!(found.findings, []);
    assert_eq!(found.split.unwrap().plan, SplitPlan::Shuffled { folds: 8, repeats: 3 });
}

#[test]
fn integers_that_should_repeat_and_do_not_are_keys() {
    let mut rng = Seed(12).rng();
    // A shuffled 1..=ROWS: chance would repeat a thousand of them.
    let mut keys: Vec<f64> = (1..=ROWS).map(|key| key as f64).collect();
    rng.shuffle(&mut keys);
    // Prices up to ten million do not repeat by chance in two thousand rows, and so prove nothing.
    let mut prices: Vec<f64> = (0..ROWS).map(|row| (row * 5_003) as f64).collect();
    rng.shuffle(&mut prices);
    let found = look(vec![
        Column::number("reference", keys),
        Column::number("price", prices),
        noise("a", &mut rng),
        classes(&mut rng),
    ]);
    assert_eq!(found.column("reference").unwrap().role, Role::Identifier);
    assert_eq!(found.column("price").unwrap().role, Role::Feature);
}

#[test]
fn a_measurement_that_happens_to_be_unique_and_predicts_is_kept() {
    let mut rng = Seed(13).rng();
    let mut position: Vec<f64> = (1..=ROWS).map(|key| key as f64).collect();
    rng.shuffle(&mut position);
    let target = position.iter().map(|x| x * 0.5 + rng.normal()).collect();
    let found =
        look(vec![Column::number("depth", position), noise("a", &mut rng), Column::number("y", target)]);
    assert_eq!(found.column("depth").unwrap().role, Role::Feature);
}

#[test]
fn the_last_feature_is_never_dropped() {
    let mut rng = Seed(14).rng();
    let found =
        look(vec![Column::number("id", (0..ROWS).map(|row| row as f64).collect()), classes(&mut rng)]);
    assert_eq!(found.features().count(), 1);
}

#[test]
fn a_key_that_tells_the_target_is_critical() {
    let mut rng = Seed(15).rng();
    let target = (0..ROWS).map(|row| f64::from(u8::from(rng.uniform() < row as f64 / ROWS as f64))).collect();
    let id = Column::number("case_id", (0..ROWS).map(|row| (row * 3 + 17) as f64).collect());
    let found = look(vec![id, noise("a", &mut rng), Column::number("y", target)]);
    assert_eq!(found.column("case_id").unwrap().role, Role::Identifier);
    assert!(has(&found, FindingKind::IdentifierLeak));
}

#[test]
fn duplicates_and_conflicts_are_counted_exactly() {
    let mut rng = Seed(16).rng();
    let mut a: Vec<f64> = (0..ROWS).map(|_| rng.normal()).collect();
    let mut y: Vec<f64> = (0..ROWS).map(|row| f64::from(row as u32 % 2)).collect();
    // Rows 100..110 repeat rows 0..10; rows 200..205 repeat the features of 0..5 with the other class.
    for row in 0..10 {
        a[100 + row] = a[row];
        y[100 + row] = y[row];
    }
    for row in 0..5 {
        a[200 + row] = a[row];
        y[200 + row] = 1.0 - y[row];
    }
    // A key would make every row differ; it is left aside.
    let id = Column::text("id", (0..ROWS).map(|row| Some(format!("K{row:06}"))));
    let found = look(vec![id, Column::number("a", a), Column::number("y", y)]);
    assert_eq!(evidence(&found, FindingKind::DuplicateRows, "rows"), 10.0);
    assert_eq!(evidence(&found, FindingKind::ConflictingLabels, "rows"), 15.0);
    assert_eq!(evidence(&found, FindingKind::ConflictingLabels, "least_error_share"), 5.0 / ROWS as f64);
}

#[test]
fn a_rescaled_copy_of_a_numeric_target_is_found() {
    let mut rng = Seed(17).rng();
    let y: Vec<f64> = (0..ROWS).map(|_| rng.normal()).collect();
    let copy = y.iter().map(|value| 2.54 * value - 1.0).collect();
    let noisy = y.iter().map(|value| value + 0.05 * rng.normal()).collect();
    let found = look(vec![
        Column::number("inches", copy),
        Column::number("noisy", noisy),
        noise("a", &mut rng),
        Column::number("y", y),
    ]);
    assert_eq!(found.column("inches").unwrap().role, Role::TargetCopy);
    assert!(has(&found, FindingKind::Leakage));
}

#[test]
fn copies_of_columns() {
    let mut rng = Seed(18).rng();
    let a = noise("a", &mut rng);
    let again = Column { name: "again".to_owned(), values: a.values.clone() };
    let codes: Vec<usize> = (0..ROWS).map(|_| rng.below(12)).collect();
    let short =
        Column::category("short", &codes.iter().map(|code| Some(format!("D{code}"))).collect::<Vec<_>>());
    let long = Column::category(
        "long",
        &codes.iter().map(|code| Some(format!("Department {code}"))).collect::<Vec<_>>(),
    );
    let Values::Number(numbers) = &a.values else { unreachable!() };
    let near = Column::number(
        "near",
        numbers.values.iter().map(|value| value * 3.0 + 1e-3 * rng.normal()).collect(),
    );
    let found = look(vec![a, again, short, long, near, classes(&mut rng)]);
    assert_eq!(found.column("again").unwrap().role, Role::DuplicateOf("a".to_owned()));
    assert_eq!(found.column("long").unwrap().role, Role::DuplicateOf("short".to_owned()));
    assert_eq!(found.column("near").unwrap().role, Role::Feature);
    assert!(has(&found, FindingKind::NearCopies));
}

#[test]
fn time_is_split_forward_only_where_the_file_stands_in_its_order() {
    let mut rng = Seed(19).rng();
    let wave: Vec<f64> =
        (0..ROWS).map(|row| kaizen_base::math::sin(row as f64 / 30.0) + 0.3 * rng.normal()).collect();
    let a = noise("a", &mut rng);
    let ordered = look(vec![days("day", |row| row as f64), a.clone(), Column::number("y", wave.clone())]);
    assert_eq!(ordered.split.as_ref().unwrap().plan, SplitPlan::Forward { folds: 5 });
    assert_eq!(ordered.split.unwrap().time_column.as_deref(), Some("day"));
    // The same rows shuffled: the column is proposed, the folds stay shuffled.
    let mut order: Vec<u32> = (0..ROWS as u32).collect();
    rng.shuffle(&mut order);
    let table =
        Table::from_columns(vec![days("day", |row| row as f64), a.clone(), Column::number("y", wave)])
            .unwrap();
    let shuffled = inspect(&table.take(&order), Some(("y", TaskHint::Auto)), &Options::default()).unwrap();
    assert!(matches!(shuffled.split.as_ref().unwrap().plan, SplitPlan::Shuffled { .. }));
    let time = shuffled.findings.iter().find(|finding| finding.kind == FindingKind::TimeOrder).unwrap();
    assert!(time.advice.contains("--time-column day"));
    // In order, but the target does not care.
    let idle = look(vec![days("day", |row| row as f64), a, noise("y", &mut rng)]);
    assert!(matches!(idle.split.unwrap().plan, SplitPlan::Shuffled { .. }));
}

#[test]
fn rows_in_an_order_that_no_column_explains() {
    let mut rng = Seed(20).rng();
    let y = (0..ROWS)
        .map(|row| f64::from(u8::from(rng.uniform() < if row / 50 % 2 == 0 { 0.8 } else { 0.2 })))
        .collect();
    let found = look(vec![noise("a", &mut rng), Column::number("y", y)]);
    assert!(has(&found, FindingKind::RowOrder));
    let sorted = (0..ROWS).map(|row| f64::from(u8::from(row > ROWS / 3))).collect();
    let found = look(vec![noise("a", &mut rng), Column::number("y", sorted)]);
    assert!(has(&found, FindingKind::SortedByTarget) && !has(&found, FindingKind::RowOrder));
}

#[test]
fn repeated_measurements_are_split_by_group() {
    let mut rng = Seed(21).rng();
    let levels: Vec<f64> = (0..ROWS / 5).map(|_| rng.normal()).collect();
    let y: Vec<f64> = (0..ROWS).map(|row| levels[row / 5] + 0.5 * rng.normal()).collect();
    let patient = Column::category(
        "patient_id",
        &(0..ROWS).map(|row| Some(format!("P{:04}", row / 5))).collect::<Vec<_>>(),
    );
    let found = look(vec![patient, noise("a", &mut rng), Column::number("y", y)]);
    assert_eq!(found.split.as_ref().unwrap().group.as_deref(), Some("patient_id"));
    // Variance 1 between and 1/4 within: an intraclass correlation of 0.8. Its standard error with 400 groups of
    // five is about 0.015.
    let correlation = evidence(&found, FindingKind::Groups, "intraclass_correlation");
    assert!((correlation - 0.8).abs() < 0.06, "{correlation}");
    // The same groups with targets of their own: nothing to fear.
    let patient = Column::category(
        "patient_id",
        &(0..ROWS).map(|row| Some(format!("P{:04}", row / 5))).collect::<Vec<_>>(),
    );
    let found = look(vec![patient, noise("a", &mut rng), noise("y", &mut rng)]);
    assert!(!has(&found, FindingKind::Groups));
}

#[test]
fn shift_is_found_where_it_is_and_not_elsewhere() {
    let mut rng = Seed(22).rng();
    let table =
        Table::from_columns(vec![noise("a", &mut rng), noise("b", &mut rng), classes(&mut rng)]).unwrap();
    let moved = Column::number("b", (0..ROWS).map(|_| rng.normal() + 1.0).collect());
    let other = Table::from_columns(vec![noise("a", &mut rng), moved]).unwrap();
    let options = Options { other: Some(&other), ..Options::default() };
    let found = inspect(&table, Some(("y", TaskHint::Auto)), &options).unwrap();
    let shifted: Vec<&str> = found
        .findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::Shift)
        .flat_map(|finding| finding.columns.iter().map(String::as_str))
        .collect();
    assert_eq!(shifted, ["b"]);
    // Two normals one deviation apart differ by 2Φ(1/2) - 1 = 0.383 at most; standard error about 0.015.
    assert!((evidence(&found, FindingKind::Shift, "distance") - 0.383).abs() < 0.06);
}

#[test]
fn rows_shared_by_both_tables_are_counted() {
    let mut rng = Seed(23).rng();
    let table =
        Table::from_columns(vec![noise("a", &mut rng), noise("b", &mut rng), classes(&mut rng)]).unwrap();
    let other = table.take(&(0..300).collect::<Vec<_>>());
    let options = Options { other: Some(&other), ..Options::default() };
    let found = inspect(&table, Some(("y", TaskHint::Auto)), &options).unwrap();
    assert_eq!(evidence(&found, FindingKind::SharedRows, "rows"), 300.0);
}

#[test]
fn a_wrong_name_is_an_error_and_tiny_tables_do_not_panic() {
    let table = Table::from_columns(vec![Column::number("price", vec![1.0, 2.0])]).unwrap();
    let error = inspect(&table, Some(("Price", TaskHint::Auto)), &Options::default()).unwrap_err();
    assert!(error.to_string().contains("did you mean `price`"));
    for rows in 0..12 {
        for hint in [TaskHint::Auto, TaskHint::Binary, TaskHint::Multiclass, TaskHint::Regression] {
            let table = Table::from_columns(vec![
                Column::number("a", (0..rows).map(f64::from).collect()),
                Column::text("t", (0..rows).map(|row| (row % 3 > 0).then(|| format!("w{row}")))),
                Column::category("c", &(0..rows).map(|row| Some(format!("{}", row % 2))).collect::<Vec<_>>()),
                Column::number("y", (0..rows).map(|row| f64::from(row % 3)).collect()),
            ])
            .unwrap();
            for target in ["y", "c", "t", "a"] {
                let options = Options { other: Some(&table), ..Options::default() };
                let found = inspect(&table, Some((target, hint)), &options).unwrap();
                assert!(rows >= 10 || found.blocking().next().is_some(), "{rows} rows");
            }
        }
    }
    let empty = inspect(&Table::default(), None, &Options::default()).unwrap();
    assert_eq!(empty.findings, []);
}

#[test]
fn threads_do_not_change_a_bit() {
    let mut rng = Seed(24).rng();
    let mut columns: Vec<Column> = (0..20).map(|index| noise(&format!("x{index}"), &mut rng)).collect();
    columns.push(classes(&mut rng));
    let table = Table::from_columns(columns).unwrap();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| inspect(&table, Some(("y", TaskHint::Auto)), &Options::default()).unwrap())
    };
    assert_eq!(run(1), run(4));
}

#[test]
fn chance_alone_raises_no_alarm() {
    // Tables in which nothing goes with anything. Of 45, none may be called leaking, ordered, grouped or shifted: the
    // thresholds lie at six (order), five (groups) and four (leaks) standard errors.
    for seed in 0..45 {
        let mut rng = Seed(1_000 + seed).rng();
        let words: Vec<Option<String>> = (0..ROWS).map(|_| Some(format!("K{:03}", rng.below(200)))).collect();
        let y = match seed % 3 {
            0 => Column::number("y", (0..ROWS).map(|_| rng.normal()).collect()),
            1 => Column::number("y", (0..ROWS).map(|_| rng.below(2) as f64).collect()),
            _ => Column::category(
                "y",
                &(0..ROWS).map(|_| Some(["a", "b", "c", "d"][rng.below(4)])).collect::<Vec<_>>(),
            ),
        };
        let table = Table::from_columns(vec![
            noise("a", &mut rng),
            Column::category("customer_id", &words),
            Column::number("count", (0..ROWS).map(|_| rng.below(9) as f64).collect()),
            y,
        ])
        .unwrap();
        let (first, second) = ((0..1_400).collect::<Vec<_>>(), (1_400..ROWS as u32).collect::<Vec<_>>());
        let (train, other) = (table.take(&first), table.take(&second));
        let options = Options { other: Some(&other), seed: Seed(seed), ..Options::default() };
        let found = inspect(&train, Some(("y", TaskHint::Auto)), &options).unwrap();
        // A level that only the other table happens to hold is worth a line, not an alarm.
        let alarms: Vec<_> = found.findings.iter().filter(|each| each.severity > Severity::Info).collect();
        assert!(alarms.is_empty(), "seed {seed}: {alarms:?}");
    }
}

#[test]
fn faults_just_large_enough_are_found() {
    // Power: each fault at about twice its threshold is found in every one of twelve tables.
    for seed in 0..12 {
        let mut rng = Seed(2_000 + seed).rng();
        // A copy of the target with 1 % flipped: an area near 0.99.
        let y: Vec<f64> = (0..ROWS).map(|_| f64::from(u8::from(rng.uniform() < 0.3))).collect();
        let copy = y
            .iter()
            .map(|&class| if rng.uniform() < 0.01 { 1.0 - class } else { class } + 0.1 * rng.uniform())
            .collect();
        let found = look(vec![Column::number("copy", copy), noise("a", &mut rng), Column::number("y", y)]);
        assert!(has(&found, FindingKind::Leakage), "seed {seed}");
        // Neighbours with a correlation of 0.25.
        let mut state = 0.0;
        let drifting = (0..ROWS)
            .map(|_| {
                state = 0.25 * state + rng.normal();
                state
            })
            .collect();
        let found = look(vec![noise("a", &mut rng), Column::number("y", drifting)]);
        assert!(has(&found, FindingKind::RowOrder), "seed {seed}");
        // Groups of ten with an intraclass correlation of 0.15, shuffled.
        let levels: Vec<f64> = (0..ROWS / 10).map(|_| rng.normal() * 0.42).collect();
        let mut group: Vec<usize> = (0..ROWS).map(|row| row / 10).collect();
        rng.shuffle(&mut group);
        let y = group.iter().map(|&group| levels[group] + rng.normal()).collect();
        let names: Vec<Option<String>> = group.iter().map(|group| Some(format!("site {group}"))).collect();
        let found =
            look(vec![Column::category("site_id", &names), noise("a", &mut rng), Column::number("y", y)]);
        assert!(has(&found, FindingKind::Groups), "seed {seed}");
    }
}
