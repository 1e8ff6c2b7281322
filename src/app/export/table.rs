//! Tables as CSV.

use crate::run::results::quoted;

/// A table that can be saved: CSV, the first line names the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    csv: String,
}

impl Table {
    pub fn new<S: AsRef<str>>(head: &[&str], rows: impl IntoIterator<Item = Vec<S>>) -> Self {
        let mut csv = line(head);
        for row in rows {
            csv += &line(&row);
        }
        Self { csv }
    }

    /// A table that is CSV already.
    pub fn of_csv(csv: String) -> Self {
        Self { csv }
    }

    pub fn csv(&self) -> &str {
        &self.csv
    }
}

fn line<S: AsRef<str>>(cells: &[S]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| quoted(cell.as_ref())).collect();
    cells.join(",") + "\n"
}

/// A number with all digits that matter, empty where there is none.
pub fn number(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.6}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let table =
            Table::new(&["name", "acc"], [vec!["a, b".to_owned(), number(Some(0.5))], vec!["c".into(), number(None)]]);
        assert_eq!(table.csv(), "name,acc\n\"a, b\",0.500000\nc,\n");
    }
}
