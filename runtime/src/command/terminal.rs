//! What is printed, and where: results on standard output, all else on standard error.
//!
//! Nobody who closes a pipe early gets an error: what follows is then thrown away, and the exit code stays what it
//! would have been. [`Waiting`] shows in a terminal that something long is going on.

use super::Stop;
use super::arguments::When;
use crate::session::Failure;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use seqwright_compiler::diagnostic::Code;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The width taken where there is no terminal to ask.
const USUAL_WIDTH: usize = 80;
/// How long something may take before it is shown to be going on.
const PATIENCE: Duration = Duration::from_millis(500);

/// How many colours there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// None at all.
    Plain,
    /// The palette of 256.
    Palette,
    /// Any mixture of red, green and blue.
    True,
}

/// Standard output and standard error.
pub struct Terminal {
    output: AutoStream<io::Stdout>,
    errors: AutoStream<io::Stderr>,
    colored_errors: bool,
    depth: Depth,
    width: Option<usize>,
    closed: bool,
    /// The first kind of mistake that was told of.
    mistake: Option<Code>,
}

impl Terminal {
    /// With colours as asked for.
    pub fn new(when: When) -> Terminal {
        let choice = |automatic: ColorChoice| match when {
            When::Auto => automatic,
            When::Always => ColorChoice::Always,
            When::Never => ColorChoice::Never,
        };
        let output = choice(AutoStream::choice(&io::stdout()));
        let errors = choice(AutoStream::choice(&io::stderr()));
        let many = std::env::var("COLORTERM").is_ok_and(|value| value == "truecolor" || value == "24bit");
        let depth = match (output == ColorChoice::Never, many) {
            (true, _) => Depth::Plain,
            (false, false) => Depth::Palette,
            (false, true) => Depth::True,
        };
        let width = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0).max(40));
        Terminal {
            output: AutoStream::new(io::stdout(), output),
            errors: AutoStream::new(io::stderr(), errors),
            colored_errors: errors != ColorChoice::Never,
            depth,
            width,
            closed: false,
            mistake: None,
        }
    }

    /// How many colours results may have.
    pub fn depth(&self) -> Depth {
        self.depth
    }

    /// How many columns there are.
    pub fn width(&self) -> usize {
        self.width.unwrap_or(USUAL_WIDTH)
    }

    /// How many columns a text has that needs no more than these: so many, unless the terminal has fewer.
    pub fn width_of_text(&self, widest: usize) -> usize {
        self.width.map_or(widest, |width| width.min(widest))
    }

    /// Prints a result.
    ///
    /// # Errors
    /// Where it can't be written, but not for want of a reader.
    pub fn print(&mut self, text: &str) -> Result<(), Stop> {
        if self.closed {
            return Ok(());
        }
        let written = self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush());
        self.went(written)
    }

    /// Writes a result that is no text.
    ///
    /// # Errors
    /// As for [`print`](Terminal::print).
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        if self.closed {
            return Ok(());
        }
        // Not through what looks for colours in texts.
        let mut output = io::stdout().lock();
        let written = output.write_all(bytes).and_then(|()| output.flush());
        self.went(written)
    }

    fn went(&mut self, written: io::Result<()>) -> Result<(), Stop> {
        match written {
            Ok(()) => Ok(()),
            Err(why) if why.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(why) => Err(Stop::Failed(Failure::Other(format!("cannot write results: {why}")))),
        }
    }

    /// Whether nobody reads results any more.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Prints something that is no result. There is nobody to tell where that fails.
    pub fn say(&mut self, text: &str) {
        let _ = self.errors.write_all(text.as_bytes());
    }

    /// A note: nothing is wrong, but somebody should know.
    pub fn note(&mut self, text: &str) {
        let style = self.style(AnsiColor::BrightGreen);
        self.say(&format!("{style}note{style:#}: {text}\n"));
    }

    /// That a file is in order.
    pub fn ok(&mut self, text: &str) {
        let style = self.style(AnsiColor::BrightGreen);
        self.say(&format!("{style}ok{style:#}: {text}\n"));
    }

    /// Why something could not be done.
    pub fn failure(&mut self, failure: &Failure) {
        let text = failure.render(self.colored_errors);
        self.say(&text);
        self.mistake = self.mistake.or_else(|| failure.code());
    }

    /// Where more is said of the first kind of mistake that was told of, once all are.
    pub fn more_about_mistakes(&mut self) {
        if let Some(code) = self.mistake.take() {
            self.say(&format!("\nFor more about this kind of mistake, try `seqc explain {}`.\n", code.number()));
        }
    }

    /// A mistake in the call.
    pub fn usage(&mut self, message: &str) {
        let style = self.style(AnsiColor::BrightRed);
        self.say(&format!("{style}error{style:#}: {message}\n\nFor more information, try '--help'.\n"));
    }

    fn style(&self, color: AnsiColor) -> Style {
        if self.colored_errors { color.on_default().bold() } else { Style::new() }
    }
}

/// A sign of life on standard error, while it is held, once something takes long; in a terminal only.
pub struct Waiting {
    /// Dropping it ends the sign.
    end: Option<mpsc::Sender<()>>,
    sign: Option<thread::JoinHandle<()>>,
}

impl Waiting {
    /// For something described as in "loading gpt2".
    pub fn new(what: String) -> Waiting {
        if !io::stderr().is_terminal() {
            return Waiting { end: None, sign: None };
        }
        let (end, ended) = mpsc::channel::<()>();
        let show = move || {
            if ended.recv_timeout(PATIENCE) != Err(mpsc::RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::new_spinner().with_message(what);
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            let _ = ended.recv();
            bar.finish_and_clear();
        };
        Waiting { end: Some(end), sign: thread::Builder::new().spawn(show).ok() }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(sign) = self.sign.take() {
            let _ = sign.join();
        }
    }
}
