//! How much memory a run may take, and what it takes before its first trial.
//!
//! Without a limit that was asked for, half of what is free when the run starts is its own: other programs start and stop
//! while it goes on. Free is what the operating system says can be had without swapping, or less where the process lives
//! in a control group or under a resource limit. On systems that do not tell, there is no limit.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kaizen_table::Table;
use kaizen_tabular::MemoryBudget;
use kaizen_tabular::memory::size_text;

use crate::error::EngineError;
use crate::plan::Plan;
use crate::request::FitRequest;

/// What the program itself takes, threads and buffers of the readers included, measured on tables of 344 and 60,000
/// rows.
const PROCESS_BYTES: u64 = 48_000_000;

/// Copies of the table that making the plan takes at its peak: as it was read, rows with a target, rows to learn from.
const PLAN_COPIES: u64 = 3;

/// Threads for which buffers are counted in a run whose result must not depend on the machine.
const NOMINAL_THREADS: usize = 8;

/// Share of the free memory that a run takes unasked.
const DEFAULT_SHARE: u64 = 2;

/// What a run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryLimit {
    /// Bytes; `None` where nobody set a limit and the system does not tell.
    pub(crate) bytes: Option<u64>,
    /// Whether a person set it.
    pub(crate) is_asked: bool,
}

impl MemoryLimit {
    /// The limit that was asked for; else that of the run that is resumed; else a share of what is free.
    pub(crate) fn of(request: &FitRequest, kept: Option<u64>) -> Self {
        let default = || free_bytes().map(|free| free / DEFAULT_SHARE);
        let is_asked = request.limits.memory_bytes.is_some();
        Self { bytes: request.limits.memory_bytes.or(kept).or_else(default), is_asked }
    }

    /// Refuses a table of which the plan cannot be made within the limit.
    ///
    /// # Errors
    /// [`EngineError::Memory`].
    pub(crate) fn check_table(&self, request: &FitRequest, table: &Table) -> Result<(), EngineError> {
        let needed_bytes = PROCESS_BYTES + PLAN_COPIES * table.size_bytes() as u64;
        match self.bytes {
            Some(limit_bytes) if needed_bytes > limit_bytes => {
                Err(self.refusal(request, "working on this table", needed_bytes, limit_bytes))
            }
            _ => Ok(()),
        }
    }

    /// What trials may take beside what is there already.
    pub(crate) fn budget(
        &self,
        request: &FitRequest,
        read: &Table,
        plan: &Plan,
        threads: usize,
    ) -> MemoryBudget {
        let held_out = plan.holdout.as_ref().map(|(table, _)| table);
        let tables = [Some(read), Some(&plan.raw), Some(&plan.cv.data.table), held_out];
        let is_timed = request.limits.time_seconds.is_some();
        MemoryBudget {
            limit_bytes: self.bytes,
            base_bytes: PROCESS_BYTES + distinct_bytes(tables.into_iter().flatten()),
            thread_count: if is_timed { threads } else { NOMINAL_THREADS },
        }
    }

    /// The error of a run in which not one trial fits; `why` is what the last one said.
    pub(crate) fn nothing_fits(&self, request: &FitRequest, why: &str) -> EngineError {
        EngineError::Memory {
            what: format!("no model fits into memory: the last one {why}"),
            cure: self.cure(request),
        }
    }

    fn refusal(&self, request: &FitRequest, what: &str, needed: u64, limit: u64) -> EngineError {
        let what = format!(
            "{}: {what} takes about {} of memory, the limit is {}",
            request.source.text(),
            size_text(needed),
            size_text(limit)
        );
        EngineError::Memory { what, cure: self.cure(request) }
    }

    fn cure(&self, _request: &FitRequest) -> &'static str {
        if self.is_asked {
            "raise --memory-limit, or give fewer rows or columns"
        } else {
            "that is half of what was free; end other programs, set --memory-limit, or give fewer rows or columns"
        }
    }
}

/// Bytes of all columns, those that tables share counted once.
fn distinct_bytes<'a>(tables: impl Iterator<Item = &'a Table>) -> u64 {
    let mut seen = BTreeSet::new();
    let mut bytes = 0;
    for column in tables.flat_map(Table::columns) {
        if seen.insert(Arc::as_ptr(column) as usize) {
            bytes += column.values.size_bytes() as u64;
        }
    }
    bytes
}

/// Memory that the process can still take, as far as the system tells.
fn free_bytes() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let system = read("/proc/meminfo").and_then(|text| available(&text));
    let group = read("/proc/self/cgroup").and_then(|text| group_free(&text, Path::new("/sys/fs/cgroup")));
    let process = read("/proc/self/limits").and_then(|text| address_space(&text));
    [system, group, process].into_iter().flatten().min()
}

/// `MemAvailable` of `/proc/meminfo`, which counts caches that can be dropped.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}

/// What the control groups around the process leave it, version 2 (each up to the root has a say) or 1.
fn group_free(membership: &str, root: &Path) -> Option<u64> {
    let number = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let below = |path: &str| root.join(path.trim_start_matches('/'));
    let mut free: Vec<u64> = Vec::new();
    for line in membership.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if controllers.is_empty() {
            for folder in below(path).ancestors().take_while(|folder| folder.starts_with(root)) {
                if let Some(limit) = number(folder.join("memory.max")) {
                    let used = number(folder.join("memory.current")).unwrap_or(0);
                    free.push(limit.saturating_sub(used.saturating_sub(file_cache(folder))));
                }
            }
        } else if controllers.split(',').any(|controller| controller == "memory") {
            // Inside a container the group's own folder is the root of what can be seen.
            let own = root.join("memory").join(path.trim_start_matches('/'));
            for folder in [own, root.join("memory")] {
                if let Some(limit) = number(folder.join("memory.limit_in_bytes")) {
                    let used = number(folder.join("memory.usage_in_bytes")).unwrap_or(0);
                    free.push(limit.saturating_sub(used.saturating_sub(file_cache(&folder))));
                }
            }
        }
    }
    free.into_iter().min()
}

/// Bytes of files in memory that can be dropped, of a control group.
fn file_cache(folder: &Path) -> u64 {
    let text = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("inactive_file "))
        .and_then(|figure| figure.trim().parse().ok())
        .unwrap_or(0)
}

/// The soft limit of the address space in `/proc/self/limits`; `None` when it is unlimited.
fn address_space(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_table::Column;

    #[test]
    fn what_the_system_says_is_understood() {
        let meminfo = "MemTotal:  16384 kB\nMemFree:  100 kB\nMemAvailable:    8192 kB\n";
        assert_eq!(available(meminfo), Some(8192 * 1024));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax address space  2000000  unlimited  bytes\n";
        assert_eq!(address_space(limits), Some(2_000_000));
        assert_eq!(
            address_space("Max address space         unlimited            unlimited            bytes\n"),
            None
        );
    }

    #[test]
    fn the_tightest_control_group_counts_less_what_it_could_drop() {
        let root = std::env::temp_dir().join(format!("kaizen-cgroup-{}", std::process::id()));
        let inner = root.join("outer/inner");
        fs::create_dir_all(&inner).unwrap();
        let write = |path: &str, text: &str| fs::write(root.join(path), text).unwrap();
        write("outer/inner/memory.max", "max\n");
        write("outer/memory.max", "1000\n");
        write("outer/memory.current", "700\n");
        write("outer/memory.stat", "anon 500\ninactive_file 200\n");
        assert_eq!(group_free("0::/outer/inner\n", &root), Some(500));
        assert_eq!(group_free("0::/elsewhere\n", &root), None);
        fs::create_dir_all(root.join("memory/box")).unwrap();
        write("memory/box/memory.limit_in_bytes", "900\n");
        write("memory/box/memory.usage_in_bytes", "100\n");
        assert_eq!(group_free("4:memory,cpu:/box\n3:pids:/x\n", &root), Some(800));
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn shared_columns_count_once() {
        let one =
            Table::from_columns(vec![Column::number("a", vec![0.0; 10]), Column::number("b", vec![0.0; 10])])
                .unwrap();
        let some = one.without(|column| column.name == "a");
        let copy = one.take(&[0, 1]);
        assert_eq!(distinct_bytes([&one, &some].into_iter()), 160);
        assert_eq!(distinct_bytes([&one, &copy].into_iter()), 160 + 32);
    }

    #[test]
    fn this_machine_tells_something_where_it_can() {
        if Path::new("/proc/meminfo").exists() {
            assert!(free_bytes().is_some_and(|free| free > 1_000_000));
        }
    }
}
