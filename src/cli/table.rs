//! Tables of text.

use std::io::IsTerminal;

use foxglove_bridge::internals::printable;

/// Longest name or value shown in full, in characters; `--json` has all.
const CELL_LIMIT: usize = 100;

/// Cells, of which [`table`] makes columns.
pub(crate) type Row = Vec<String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A row of texts, whatever they hold: a file may contain anything.
pub(crate) fn row<const N: usize>(cells: [&str; N]) -> Row {
    cells.map(|cell| printable(cell, CELL_LIMIT).to_string()).into()
}

/// The same, with cells of any length where stdout is no terminal.
pub(crate) fn row_of<const N: usize>(cells: [&str; N]) -> Row {
    let limit = if std::io::stdout().is_terminal() { CELL_LIMIT } else { usize::MAX };
    cells.map(|cell| printable(cell, limit).to_string()).into()
}

/// A column with its name in the first cell.
pub(crate) struct Column {
    align: Align,
    pub(crate) cells: Row,
}

impl Column {
    pub(crate) fn new(name: &str, align: Align, cells: impl Iterator<Item = String>) -> Self {
        let cells = std::iter::once(name.to_owned()).chain(cells);
        let cells = cells.map(|cell| printable(&cell, CELL_LIMIT).to_string()).collect();
        Self { align, cells }
    }

    pub(crate) fn name(&self) -> &str {
        &self.cells[0]
    }

    /// Shortens all cells to this many characters.
    pub(crate) fn shorten(&mut self, limit: usize) {
        for cell in self.cells.iter_mut().filter(|cell| cell.chars().count() > limit) {
            *cell = cell.chars().take(limit.saturating_sub(1)).chain(['…']).collect();
        }
    }

    /// Characters of its longest cell.
    pub(crate) fn width(&self) -> usize {
        self.cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

/// Characters of a table's lines.
pub(crate) fn width(columns: &[Column]) -> usize {
    columns.iter().map(|column| column.width() + 2).sum::<usize>().saturating_sub(2)
}

/// A table below an empty line; all columns have as many cells.
pub(crate) fn of_columns(columns: &[Column]) -> String {
    let align: Vec<Align> = columns.iter().map(|column| column.align).collect();
    let rows = columns.first().map_or(0, |column| column.cells.len());
    let rows = (0..rows).map(|row| columns.iter().map(|column| column.cells[row].clone()).collect());
    section(&rows.collect::<Vec<Row>>(), &align)
}

/// A table below an empty line.
pub(crate) fn section(rows: &[Row], align: &[Align]) -> String {
    format!("\n{}", table(rows, align))
}

/// Columns two blanks apart; those that `align` does not name are left-aligned.
pub(crate) fn table(rows: &[Row], align: &[Align]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell_width = |row: &Row, column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| cell_width(row, column)).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for row in rows {
        let cells: Vec<_> = row
            .iter()
            .enumerate()
            .map(|(column, cell)| {
                let blanks = " ".repeat(widths[column] - cell_width(row, column));
                match align.get(column) {
                    Some(Align::Right) => blanks + cell,
                    Some(Align::Left) | None => cell.clone() + &blanks,
                }
            })
            .collect();
        line(&mut out, &cells.join("  "));
    }
    out
}

/// Appends a line without blanks at its end.
pub(crate) fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_shortened_and_show_only_themselves() {
        assert_eq!(row(["/a\u{1b}[31m\nb"]), ["/a\\u{1b}[31m\\nb"]);
        assert_eq!(row([&"é".repeat(100)]), ["é".repeat(100)]);
        let long = &row([&"x".repeat(101)])[0];
        assert_eq!((long.chars().count(), long.chars().last()), (101, Some('…')));
    }
}
