//! The latest warnings and errors of the log, for the operators' page. Only lines that pass the filter of the log
//! are kept, without the fields of their spans.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines that are kept.
const LINES_MAX: usize = 200;

/// Longest text of a line, in bytes.
const TEXT_LEN_MAX: usize = 1_024;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentLine {
    /// Number of the line since the start, from 1 on.
    pub number: u64,
    /// Time, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Whether it is an error; else it is a warning.
    pub is_error: bool,
    /// Module that wrote it.
    pub target: &'static str,
    /// Message, then the fields as `name=value`.
    pub text: String,
}

/// The latest warnings and errors, oldest first.
#[derive(Debug, Default)]
pub struct RecentLines(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    /// Lines so far.
    count: u64,
    /// The latest of them.
    lines: VecDeque<RecentLine>,
}

impl RecentLines {
    /// Returns the kept lines, oldest first.
    pub fn read(&self) -> Vec<RecentLine> {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.lines.iter().cloned().collect()
    }

    fn push(&self, is_error: bool, target: &'static str, text: String) {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix_ms = since_1970.unwrap_or_default().as_millis();
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.count += 1;
        if ring.lines.len() >= LINES_MAX {
            ring.lines.pop_front();
        }
        let number = ring.count;
        ring.lines.push_back(RecentLine {
            number,
            unix_ms: u64::try_from(unix_ms).unwrap_or(u64::MAX),
            is_error,
            target,
            text,
        });
    }
}

/// Layer of the logger that keeps warnings and errors.
pub struct RecentLayer(Arc<RecentLines>);

impl RecentLayer {
    /// Creates a layer that keeps lines in `lines`.
    pub const fn new(lines: Arc<RecentLines>) -> Self {
        Self(lines)
    }
}

impl<S: Subscriber> Layer<S> for RecentLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > Level::WARN {
            return;
        }
        let mut text = LineText::default();
        event.record(&mut text);
        let is_error = *metadata.level() == Level::ERROR;
        self.0.push(is_error, metadata.target(), text.finish());
    }
}

/// Text of a line that is being written.
#[derive(Default)]
struct LineText {
    /// Message.
    message: String,
    /// Fields, each after a space.
    fields: String,
}

impl LineText {
    fn finish(self) -> String {
        let mut text = self.message;
        text.push_str(&self.fields);
        if text.len() > TEXT_LEN_MAX {
            text.truncate(text.floor_char_boundary(TEXT_LEN_MAX));
            text.push('…');
        }
        text
    }
}

impl Visit for LineText {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn warnings_and_errors_are_kept_with_their_fields_and_others_are_not() {
        let lines = Arc::new(RecentLines::default());
        let layer = RecentLayer::new(Arc::clone(&lines));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!("started");
            tracing::warn!(shard = 3, reason = "slow", "shard hangs");
            tracing::error!("{}", "x".repeat(TEXT_LEN_MAX + 9));
        });
        let kept = lines.read();
        assert_eq!(kept.len(), 2);
        assert_eq!(kept[0].text, "shard hangs shard=3 reason=slow");
        assert!(!kept[0].is_error && kept[1].is_error);
        assert_eq!(kept[1].text.len(), TEXT_LEN_MAX + '…'.len_utf8());
    }

    #[test]
    fn only_the_latest_lines_are_kept() {
        let lines = RecentLines::default();
        for number in 0..LINES_MAX + 5 {
            lines.push(false, "test", number.to_string());
        }
        let kept = lines.read();
        assert_eq!(kept.len(), LINES_MAX);
        assert_eq!((kept[0].number, &*kept[0].text), (6, "5"));
    }
}
