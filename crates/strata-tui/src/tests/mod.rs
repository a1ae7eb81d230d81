//! Pages drawn on a terminal of a known size, and the paths of keys through a screen.

mod keys;
mod pages;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use strata_view::{Page, PageId, PageRequest};

use crate::app::App;
use crate::look::Look;

/// A screen that shows a page.
fn screen(page: Page, look: Look) -> App {
    let mut app = App::new(page.request.clone(), look);
    let request = page.request.clone();
    app.arrived(&request, Ok(page), 0);
    app
}

/// What the screen looks like, line by line.
fn drawn(app: &mut App, columns: u16, lines: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
    terminal.draw(|frame| app.draw(frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| -> String {
        let cells = (0..columns).map(|x| buffer.cell((x, y)).unwrap().symbol());
        cells.collect::<String>().trim_end().to_owned()
    };
    (0..lines).map(line).collect::<Vec<_>>().join("\n")
}

fn request() -> PageRequest {
    PageRequest::new(PageId::Overview)
}
