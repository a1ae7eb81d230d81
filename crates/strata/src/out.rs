//! The one way out: everything a command tells a person or a script goes through here.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// Standard output, as text or JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Out {
    /// Print one JSON document instead of text.
    pub(crate) json: bool,
}

impl Out {
    /// Print a line of text. A reader that went away (`| head`) ends the program quietly later.
    #[expect(clippy::unused_self, reason = "one way out: whoever prints holds an `Out`")]
    pub(crate) fn line(self, text: impl std::fmt::Display) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        quiet_pipe(writeln!(stdout, "{text}"))
    }

    /// Print a document as JSON, whatever the format chosen.
    pub(crate) fn document(self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
        self.line(text)
    }

    /// Print a table with aligned columns; the first row is the header.
    pub(crate) fn table(self, rows: &[Vec<String>]) -> io::Result<()> {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            self.line(line.trim_end())?;
        }
        Ok(())
    }
}

/// Print to standard error: problems and progress that must not mix with a command's answer.
pub(crate) fn complain(text: impl std::fmt::Display) {
    let mut stderr = io::stderr().lock();
    // Nobody is left to be told when standard error itself is gone.
    drop(writeln!(stderr, "{text}"));
}

/// Whether standard output is a terminal, where colour is welcome.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// What a command printed is its answer already, and says that something is wrong: all that is left
/// is a line for people and the exit status.
#[derive(Debug)]
pub(crate) struct Told(pub(crate) String);

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Told {}

fn quiet_pipe(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            let words = format!("cannot write to standard output: {error}");
            Err(io::Error::new(error.kind(), words))
        }
        Ok(()) => Ok(()),
    }
}
