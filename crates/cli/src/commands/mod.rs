//! One file a subcommand.

pub(crate) mod evaluate;
pub(crate) mod fit;
pub(crate) mod inspect;
pub(crate) mod leaderboard;
pub(crate) mod list;
pub(crate) mod predict;
pub(crate) mod report;

use kaizen_data::ReadOptions;

use crate::failure::Failure;

/// A pool of that many threads; 0 takes all cores.
pub(crate) fn pool(threads: usize) -> Result<rayon::ThreadPool, Failure> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| Failure::environment("threads", &error))
}

/// How rows are read when nothing but the sheet is said.
pub(crate) fn read_options(sheet: Option<&str>) -> ReadOptions {
    ReadOptions { sheet: sheet.map(str::to_owned), ..ReadOptions::default() }
}
