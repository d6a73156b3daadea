//! `kaizen inspect`: what is in a table, what is wrong with it, what Kaizen would do about it.

use kaizen_data::Source;
use kaizen_engine::EngineError;
use kaizen_inspect::{Options, TaskHint, TerminalStyle};

use crate::arguments::InspectArguments;
use crate::failure::{Failure, INPUT};
use crate::output::print;
use crate::screen::Screen;

pub(crate) fn run(arguments: &InspectArguments, screen: &Screen, as_json: bool) -> Result<(), Failure> {
    let options = super::read_options(arguments.sheet.as_deref());
    let read =
        |text: &str| -> Result<_, EngineError> { Ok(kaizen_data::read(&Source::parse(text)?, &options)?) };
    let loaded = read(&arguments.data)?;
    let other = arguments.test.as_deref().map(read).transpose()?;
    screen.say(&loaded.format.sentence());
    for note in &loaded.notes {
        screen.note(note);
    }
    let target = arguments.target.as_deref().map(|name| {
        let name = if loaded.table.column(name).is_some() { name } else { name.trim() };
        (name, TaskHint::Auto)
    });
    let inspect_options = Options { other: other.as_ref().map(|other| &other.table), ..Options::default() };
    let inspection = kaizen_inspect::inspect(&loaded.table, target, &inspect_options)
        .map_err(|error| Failure { message: format!("{}: {error}", arguments.data), code: INPUT })?;
    if as_json {
        print(&format!("{:#}", kaizen_inspect::to_json(&inspection)))?;
    } else {
        let style = TerminalStyle { width: screen.width(), colour: screen.has_color() };
        print(&kaizen_inspect::render_terminal(&inspection, style))?;
    }
    if let Some(path) = &arguments.html {
        let page = kaizen_inspect::render_html(&inspection);
        kaizen_base::write_atomically(path, page.as_bytes())
            .map_err(|error| Failure::environment(path, &error))?;
        screen.say(&format!("written to {}", path.display()));
    }
    Ok(())
}
