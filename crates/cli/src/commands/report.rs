//! `kaizen report`: the report page, from the artifact alone.

use kaizen_engine::LoadedModel;

use crate::arguments::ReportArguments;
use crate::failure::Failure;
use crate::screen::Screen;

pub(crate) fn run(arguments: &ReportArguments, screen: &Screen) -> Result<(), Failure> {
    let model = LoadedModel::open(&arguments.model)?;
    let path = arguments.out.clone().unwrap_or_else(|| arguments.model.with_extension("html"));
    kaizen_base::write_atomically(&path, model.report_html.as_bytes())
        .map_err(|error| Failure::environment(&path, &error))?;
    screen.say(&format!("report written to {}; open it in a browser", path.display()));
    Ok(())
}
