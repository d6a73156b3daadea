//! Files torn at any byte, other people's journals, full disks.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kaizen_search::journal::Durability;
use kaizen_search::samplers::Tpe;
use kaizen_search::schedulers::Asha;
use kaizen_search::{
    Event, FileJournal, Header, History, Journal, JournalError, MemoryJournal, Study, StudyError,
};
use kaizen_testkit::simulation::{CASES, Simulation};

const SEED: u64 = 11;

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("kaizen-search-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn run_to_end(journal: Box<dyn Journal>) -> Result<History, StudyError> {
    let simulation = Simulation::of(&CASES[1]);
    let plan = simulation.plan(Box::new(Tpe::default()), Box::new(Asha::default()), 5, SEED, journal);
    let mut study = Study::new(plan)?;
    study.run(&simulation.problem, 1)?;
    Ok(study.history().clone())
}

fn file(path: &Path) -> FileJournal {
    FileJournal::new(path, Durability::Process)
}

#[test]
fn a_file_torn_at_any_byte_gives_the_same_study() {
    let folder = Folder::new("torn");
    let path = folder.0.join("history.jsonl");
    let unbroken = run_to_end(Box::new(file(&path))).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(run_to_end(Box::new(file(&path))).unwrap() == unbroken, "torn at byte {length}");
        assert_eq!(fs::read(&path).unwrap(), whole, "torn at byte {length}");
    }
    let (header, events) = FileJournal::read(&path).unwrap().unwrap();
    let mut replayed = History::new(header.space, header.objectives);
    for event in events {
        replayed.apply(event).unwrap();
    }
    assert_eq!(replayed, unbroken);
}

#[test]
fn damage_in_the_midst_is_named_and_nothing_is_overwritten() {
    let folder = Folder::new("damage");
    let path = folder.0.join("history.jsonl");
    run_to_end(Box::new(file(&path))).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = whole.split_inclusive('\n').collect();
    lines[3] = "oops\n";
    let damaged = lines.concat();
    fs::write(&path, &damaged).unwrap();
    let error = run_to_end(Box::new(file(&path))).unwrap_err();
    assert!(error.to_string().starts_with("line 4 of the journal is damaged"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    // An event that is well written but cannot have happened: the second start goes missing.
    let second_start = r#""started","trial":1"#;
    let missing: Vec<&str> =
        whole.split_inclusive('\n').filter(|line| !line.contains(second_start)).collect();
    fs::write(&path, missing.concat()).unwrap();
    assert!(matches!(run_to_end(Box::new(file(&path))), Err(StudyError::Replay { .. })));
}

#[test]
fn another_study_and_a_second_process_are_refused() {
    let folder = Folder::new("other");
    let path = folder.0.join("history.jsonl");
    let header = Arc::new(Simulation::of(&CASES[0]).header(SEED));
    let mut first = file(&path);
    first.open(Arc::clone(&header)).unwrap();
    assert!(matches!(file(&path).open(Arc::clone(&header)), Err(JournalError::Busy)));
    drop(first);
    let other_seed = Arc::new(Header { seed: kaizen_base::Seed(1), ..header.as_ref().clone() });
    let refused = file(&path).open(other_seed).unwrap_err();
    assert_eq!(refused.to_string(), "the journal belongs to another study: the seeds differ");
    let other_space = Arc::new(Simulation::of(&CASES[1]).header(SEED));
    assert!(matches!(file(&path).open(other_space), Err(JournalError::OtherStudy("the spaces"))));
    assert!(file(&path).open(header).unwrap().is_empty());
    fs::write(&path, "{\"kaizen_study\":99,\"seed\":1,\"objectives\":[],\"space\":{}}\n").unwrap();
    let later = Arc::new(Simulation::of(&CASES[0]).header(SEED));
    assert!(matches!(file(&path).open(later), Err(JournalError::Version { found: 99, known: 1 })));
}

/// Fails one append and works again, as a disk does that was full for a moment.
struct Flaky {
    inner: MemoryJournal,
    appends_left: usize,
}

impl Journal for Flaky {
    fn open(&mut self, header: Arc<Header>) -> Result<Vec<Event>, JournalError> {
        self.inner.open(header)
    }

    fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        if self.appends_left == 0 {
            self.appends_left = usize::MAX;
            return Err(JournalError::Io {
                action: "written",
                source: std::io::ErrorKind::StorageFull.into(),
            });
        }
        self.appends_left -= 1;
        self.inner.append(event)
    }
}

#[test]
fn a_disk_full_at_any_event_ends_the_run_and_loses_nothing() {
    let unbroken = run_to_end(Box::new(MemoryJournal::default())).unwrap();
    for appends_left in 0..unbroken.event_count() {
        let inner = MemoryJournal::default();
        let journal = Box::new(Flaky { inner: inner.clone(), appends_left });
        let simulation = Simulation::of(&CASES[1]);
        let plan = simulation.plan(Box::new(Tpe::default()), Box::new(Asha::default()), 5, SEED, journal);
        let mut study = Study::new(plan).unwrap();
        let error = study.run(&simulation.problem, 1).unwrap_err();
        assert!(matches!(error, StudyError::Journal(JournalError::Io { .. })), "{error}");
        assert_eq!(inner.events().len(), appends_left, "the history holds nothing that the journal has not");
        assert_eq!(study.history().event_count(), appends_left);
        // The same study goes on when there is room again.
        study.run(&simulation.problem, 1).unwrap();
        assert_eq!(study.history(), &unbroken);
    }
}
