//! CSV as RFC 4180 has it: what price files come in and FOCUS rows go out.

/// Rows of a file at most; a price file of a whole cloud has some tens of thousands.
pub const MAX_ROWS: usize = 1_000_000;

/// The rows of `text`, empty lines left out. Quotes may hold commas, quotes and line ends.
/// What follows a closing quote within its field is kept as it stands.
pub fn rows(text: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\r' if !quoted && letters.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                end_row(&mut rows, &mut row, &mut field);
                if rows.len() >= MAX_ROWS {
                    return rows;
                }
            }
            other => field.push(other),
        }
    }
    end_row(&mut rows, &mut row, &mut field);
    rows
}

fn end_row(rows: &mut Vec<Vec<String>>, row: &mut Vec<String>, field: &mut String) {
    if row.is_empty() && field.trim().is_empty() {
        field.clear();
        return;
    }
    row.push(std::mem::take(field));
    rows.push(std::mem::take(row));
}

/// Writes one row with its line end, quoting where it must. A cell that a spreadsheet would run as
/// a formula gets a leading apostrophe: names of pods and teams come from outside.
pub fn write_row<'a>(out: &mut String, cells: impl IntoIterator<Item = &'a str>) {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_cell(out, cell);
    }
    out.push_str("\r\n");
}

fn write_cell(out: &mut String, cell: &str) {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t']) && cell.parse::<f64>().is_err();
    if !formula && !cell.contains(['"', ',', '\n', '\r']) {
        out.push_str(cell);
        return;
    }
    out.push('"');
    if formula {
        out.push('\'');
    }
    for letter in cell.chars() {
        if letter == '"' {
            out.push('"');
        }
        out.push(letter);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_hold_what_would_end_a_field() {
        let check = |text: &str, expected: &[&[&str]]| assert_eq!(rows(text), expected, "{text}");
        check("a,b\r\n1,2\n", &[&["a", "b"], &["1", "2"]]);
        check("\"a,\"\"b\"\"\nc\",d", &[&["a,\"b\"\nc", "d"]]);
        check("a,,\n\n,b", &[&["a", "", ""], &["", "b"]]);
        check("", &[]);
    }

    #[test]
    fn a_formula_is_written_as_text_and_a_number_as_a_number() {
        let mut out = String::new();
        write_row(&mut out, ["=cmd()", "-1.5", "plain"]);
        assert_eq!(out, "\"'=cmd()\",-1.5,plain\r\n");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(cells in prop::collection::vec("[a-z\",\n ]{1,8}", 1..6)) {
            prop_assume!(cells.iter().any(|cell| !cell.trim().is_empty()));
            let mut out = String::new();
            write_row(&mut out, cells.iter().map(String::as_str));
            prop_assert_eq!(rows(&out), vec![cells]);
        }
    }
}
