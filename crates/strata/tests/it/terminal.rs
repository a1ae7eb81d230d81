//! `strata top` through a pseudo-terminal of 80 columns and 24 lines, as a person has it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::program::{House, STRATA};

const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// A program on a terminal of its own.
struct Terminal {
    child: Child,
    keys: File,
    /// All that was written to the screen, control sequences included.
    written: Arc<Mutex<Vec<u8>>>,
    /// Reads the screen; ends when the program has ended and all of it is read.
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    fn start(arguments: &[&str]) -> Self {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&near, size).unwrap();
        let name = ptsname(&near, Vec::new()).unwrap().into_string().unwrap();
        let far = || OpenOptions::new().read(true).write(true).open(&name).unwrap();
        let child = Command::new(STRATA)
            .arg("top")
            .args(arguments)
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .stdin(far())
            .stdout(far())
            .stderr(far())
            .spawn()
            .unwrap();
        let near = File::from(near);
        let mut screen = near.try_clone().unwrap();
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let seen = Arc::clone(&written);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The end of the program is an error here.
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                seen.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Self { child, keys: near, written, reader: Some(reader) }
    }

    /// How the program ended, and what it wrote since the last key.
    fn end(&mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        let written = self.written.lock().unwrap();
        (status, String::from_utf8_lossy(&written).into_owned())
    }

    fn press(&mut self, keys: &str) {
        self.written.lock().unwrap().clear();
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Wait until this text was written since the last key.
    #[expect(clippy::disallowed_methods, reason = "waits for a real program")]
    fn shows(&self, text: &str) {
        let begun = Instant::now();
        loop {
            let written = plain(&self.written.lock().unwrap());
            if written.contains(text) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "no {text:?} in {written}");
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Gone already, unless a check failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The text without control sequences; moving elsewhere, as over a blank, becomes one.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            out.push(c);
            continue;
        }
        if rest.next() == Some('[') {
            let last = rest.by_ref().find(char::is_ascii_alphabetic);
            if last == Some('H') {
                out.push(' ');
            }
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn pages_open_by_key_and_the_screen_is_given_back() {
    let house = House::new("");
    let server = house.start();
    let mut terminal = Terminal::start(&["--url", &server.url]);
    for layer in ["L8", "L5", "L1"] {
        terminal.shows(layer);
    }
    terminal.shows("BLIND");
    terminal.press("3");
    terminal.shows("memory, fullest");
    terminal.press("?");
    terminal.shows("Backspace");
    terminal.press("\u{1b}");
    terminal.shows("memory, fullest");
    terminal.press("d");
    terminal.shows("At a glance");
    terminal.press("q");
    let (status, written) = terminal.end();
    assert!(status.success(), "{status}");
    assert!(written.contains("\u{1b}[?1049l"), "the other screen is left: {written:?}");
    assert!(written.contains("\u{1b}[?25h"), "the cursor is back: {written:?}");
}

#[test]
fn a_server_that_goes_away_is_told_and_the_page_stays() {
    let house = House::new("");
    let server = house.start();
    let mut terminal = Terminal::start(&["--url", &server.url]);
    terminal.shows("L1");
    server.kill();
    terminal.shows("not connected for");
    terminal.press("q");
    assert!(terminal.child.wait().unwrap().success());
}
