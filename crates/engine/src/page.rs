//! The report page: gathers what the run knows into the report's own structs.

use kaizen_data::Loaded;

use crate::finish::Finished;
use crate::plan::Plan;
use crate::request::FitRequest;
use crate::search_loop::Searched;

pub(crate) fn render(
    _request: &FitRequest,
    _loaded: &Loaded,
    _plan: &Plan,
    _searched: &Searched,
    _finished: &Finished,
    _threads: usize,
) -> String {
    String::new()
}
