//! Columns as the tree engine takes them, cut into bins once for a data set.

use std::sync::Arc;

use kaizen_model::{FitError, Memo, Sample};
use kaizen_trees::{BinParams, Bins, FeatureData, TreesError};

use crate::features::{Cells, Features, Kind};

/// Columns as the tree engine takes them; sparse blocks were refused when the features were made.
pub(crate) fn feature_data<'a>(features: &Features, cells: &'a [Cells<'_>]) -> Vec<FeatureData<'a>> {
    let of = |(feature, cells): (&crate::features::Feature, &'a Cells<'_>)| match (cells, &feature.kind) {
        (Cells::Number(values), _) => Some(FeatureData::Number(values)),
        (Cells::Category(codes), Kind::Category(levels)) => {
            Some(FeatureData::Category { codes, level_count: levels.count() as u32 })
        }
        _ => None,
    };
    features.list().iter().zip(cells).filter_map(of).collect()
}

/// The bins of a data set's table.
pub(crate) fn shared_bins(
    sample: Sample<'_>,
    features: &Features,
    cells: &[Cells<'_>],
    max_bins: u16,
) -> Result<Arc<Bins>, FitError> {
    let params = BinParams { max_bins, ..BinParams::default() };
    let made = make_apart(&sample.data.memo, &format!("bins/{max_bins}"), || {
        Bins::build(&feature_data(features, cells), &params)
    });
    match made.as_ref() {
        Ok(bins) => Ok(Arc::new(bins.clone())),
        Err(error) => Err(unfit(error)),
    }
}

/// The value of a key, made on threads of its own.
///
/// Whoever asks first makes the value while others wait. Were it made on the shared pool, a worker waiting for parts of
/// it could pick up another fold, ask for the same key and wait for itself for ever; and if all workers waited, nobody
/// would make the parts. A pool of its own for the one call depends on nobody.
fn make_apart<T: Send + Sync + 'static>(memo: &Memo, key: &str, make: impl FnOnce() -> T + Send) -> Arc<T> {
    memo.get_or_make(key, || {
        let threads = rayon::current_num_threads();
        std::thread::scope(|scope| {
            let worker =
                scope.spawn(move || match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
                    Ok(pool) => pool.install(make),
                    // No threads to be had: then this one alone, which is no worker of the shared pool.
                    Err(_) => make(),
                });
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}

/// An error of the engine as one of a fit.
pub(crate) fn unfit(error: &TreesError) -> FitError {
    match error {
        TreesError::Stopped => FitError::Stopped,
        other => FitError::Unfit(other.to_string()),
    }
}
