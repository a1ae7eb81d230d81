//! The one place chores print from.

/// Print a line to standard output.
#[expect(clippy::print_stdout, reason = "a chore talks to the person who started it")]
pub(crate) fn line(text: impl std::fmt::Display) {
    println!("{text}");
}
