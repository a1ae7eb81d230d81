//! The terminal and the loop: input, pages and time on one side, the state on the other.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ratatui::crossterm::event::{
    self, DisableMouseCapture, EnableMouseCapture, Event, KeyEventKind,
};
use ratatui::crossterm::execute;
use ratatui::{DefaultTerminal, crossterm::terminal};
use strata_view::request::Span;
use strata_view::{Page, PageError, PageErrorCode, PageRequest, PageSource, Suggestion};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::app::{App, Effect};
use crate::look::Look;

/// How often a live page is read again. The collectors' usual interval is several times that; a
/// person takes two seconds for "now".
const REFRESH: Duration = Duration::from_secs(2);
/// How long the input thread waits before it looks whether the screen was closed.
const INPUT_WAIT: Duration = Duration::from_millis(200);
/// Entities shown in the palette: what fits 24 lines.
const SUGGESTIONS: usize = 15;

/// Why the screen ended.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    #[error("cannot use this terminal")]
    Terminal(#[source] io::Error),
    #[error("cannot draw on this terminal")]
    Draw(#[source] io::Error),
    #[error("cannot read signals")]
    Signal(#[source] io::Error),
}

/// What reaches the loop.
enum Arrival {
    Input(Event),
    Page(Box<PageRequest>, Box<Result<Page, PageError>>),
    Suggestions(String, Vec<Suggestion>),
}

/// Restores the terminal whatever ends the screen; [`ratatui::init`] does the same for a panic.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        // Nothing is left to do when the terminal is gone.
        drop(execute!(io::stdout(), DisableMouseCapture));
        ratatui::restore();
    }
}

/// Show pages until the reader quits or the process is told to end.
///
/// # Errors
/// When the terminal cannot be set up or drawn on.
pub async fn top(
    source: Arc<dyn PageSource>,
    request: PageRequest,
    look: Look,
) -> Result<(), TopError> {
    let mut terminal = ratatui::try_init().map_err(TopError::Terminal)?;
    let restore = Restore;
    execute!(io::stdout(), EnableMouseCapture).map_err(TopError::Terminal)?;
    let (arrivals, mut inbox) = mpsc::channel(64);
    read_input(arrivals.clone());
    let ended = watch(&mut terminal, source, App::new(request, look), &arrivals, &mut inbox).await;
    drop(restore);
    ended
}

async fn watch(
    terminal: &mut DefaultTerminal,
    source: Arc<dyn PageSource>,
    mut app: App,
    arrivals: &mpsc::Sender<Arrival>,
    inbox: &mut mpsc::Receiver<Arrival>,
) -> Result<(), TopError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(TopError::Signal)?;
    let mut refresh = tokio::time::interval(REFRESH);
    refresh.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last_page = Instant::now();
    let mut in_flight: Option<PageRequest> = None;
    terminal.draw(|frame| app.draw(frame)).map_err(TopError::Draw)?;
    loop {
        let effect = tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = refresh.tick() => {
                let live = matches!(app.request.span, Span::Live { .. })
                    && !app.request.is_asked_once();
                let failed = app.failure.is_some() || app.page.is_none();
                let waiting = in_flight.as_ref() == Some(&app.request);
                ((live || failed) && !waiting).then_some(Effect::Load)
            }
            arrival = inbox.recv() => match arrival {
                None => return Ok(()),
                Some(Arrival::Input(Event::Key(key))) if key.kind == KeyEventKind::Press => {
                    app.key(key)
                }
                Some(Arrival::Input(Event::Mouse(mouse))) => app.mouse(mouse),
                Some(Arrival::Input(_)) => None,
                Some(Arrival::Page(request, result)) => {
                    if in_flight.as_ref() == Some(&*request) {
                        in_flight = None;
                    }
                    let unreachable = matches!(
                        result.as_ref(),
                        Err(PageError { code: PageErrorCode::Unreachable, .. })
                    );
                    if !unreachable {
                        last_page = Instant::now();
                    }
                    app.arrived(&request, *result, last_page.elapsed().as_secs());
                    None
                }
                Some(Arrival::Suggestions(text, found)) => {
                    app.suggested(&text, found);
                    None
                }
            }
        };
        match effect {
            Some(Effect::Quit) => return Ok(()),
            Some(Effect::Load) => {
                in_flight = Some(app.request.clone());
                load(&source, app.request.clone(), arrivals.clone());
            }
            Some(Effect::Suggest(text)) => suggest(&source, text, arrivals.clone()),
            None => {}
        }
        terminal.draw(|frame| app.draw(frame)).map_err(TopError::Draw)?;
    }
}

fn load(source: &Arc<dyn PageSource>, request: PageRequest, arrivals: mpsc::Sender<Arrival>) {
    let source = Arc::clone(source);
    tokio::spawn(async move {
        let result = source.page(request.clone()).await;
        // The screen may be closed by now.
        drop(arrivals.send(Arrival::Page(Box::new(request), Box::new(result))).await);
    });
}

fn suggest(source: &Arc<dyn PageSource>, text: String, arrivals: mpsc::Sender<Arrival>) {
    let source = Arc::clone(source);
    tokio::spawn(async move {
        let found = source.suggest(text.clone(), SUGGESTIONS).await.unwrap_or_default();
        drop(arrivals.send(Arrival::Suggestions(text, found)).await);
    });
}

/// Read keys and mouse on a thread of its own: the terminal can only be waited for.
fn read_input(arrivals: mpsc::Sender<Arrival>) {
    std::thread::spawn(move || {
        while !arrivals.is_closed() {
            match event::poll(INPUT_WAIT) {
                Ok(false) => {}
                Ok(true) => {
                    let Ok(event) = event::read() else { return };
                    if arrivals.blocking_send(Arrival::Input(event)).is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    });
}

/// Columns of the terminal; 80 where there is none.
pub fn columns() -> usize {
    terminal::size().map_or(80, |(columns, _)| usize::from(columns).max(20))
}
