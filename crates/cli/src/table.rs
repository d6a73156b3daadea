//! Aligned columns of text.

/// Which side the text of a column stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows as lines, each column as wide as its widest cell; columns beyond `aligns` stand left.
pub(crate) fn render(rows: &[Vec<String>], aligns: &[Align]) -> String {
    let width = |text: &str| console::measure_text_width(text);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .enumerate()
                .map(|(column, cell)| {
                    let space = " ".repeat(widths[column] - width(cell));
                    match aligns.get(column) {
                        Some(Align::Right) => space + cell,
                        _ => cell.clone() + &space,
                    }
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = render(&[row(["a", "1.0"]), row(["long", "10"])], &[Align::Left, Align::Right]);
        assert_eq!(text, "a     1.0\nlong   10");
    }
}
