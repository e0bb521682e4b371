//! How far the reading is, shown on a terminal.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressState, ProgressStyle};

use crate::desk::Counter;

/// A bar where it is known how much there is to read, and a spinner elsewhere. Gone when it is dropped.
pub(crate) struct Progress {
    bar: ProgressBar,
    lines: Arc<Counter>,
}

impl Progress {
    /// Of an input of so many bytes, on standard error if that is a terminal.
    pub(crate) fn of(total: Option<u64>) -> Self {
        let terminal = io::stderr().is_terminal();
        Self::on(if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }, total)
    }

    fn on(target: ProgressDrawTarget, total: Option<u64>) -> Self {
        let lines = Arc::new(Counter::default());
        let counted = Arc::clone(&lines);
        let told = move |state: &ProgressState, text: &mut dyn fmt::Write| {
            let lines = counted.value();
            #[expect(clippy::cast_precision_loss, reason = "it is shown without a fraction")]
            let per_second = lines as f64 / state.elapsed().as_secs_f64().max(1e-3);
            // What cannot be drawn is not worth an error.
            let _ = write!(text, "{lines} lines, {per_second:.0}/s");
        };
        let template = if total.is_some() { "{bar:40} {percent:>3} %, {lines}" } else { "{spinner} {lines}" };
        let style = ProgressStyle::with_template(template).expect("the templates are valid").with_key("lines", told);
        let bar = ProgressBar::with_draw_target(total, target).with_style(style);
        Self { bar: bar.with_finish(ProgressFinish::AndClear), lines }
    }

    /// One more line is on its way, for which so many bytes were read.
    pub(crate) fn line(&self, bytes: u64) {
        self.lines.add_one();
        self.bar.inc(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use indicatif::TermLike;

    use super::*;
    use crate::desk::lock;
    use crate::input::Input;

    /// Keeps what was drawn last.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            80
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, line: &str) -> io::Result<()> {
            self.write_str(line)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            lock(&self.0).push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            lock(&self.0).clear();
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn progress(total: Option<u64>) -> (Screen, Progress) {
        let screen = Screen::default();
        (screen.clone(), Progress::on(ProgressDrawTarget::term_like(Box::new(screen)), total))
    }

    #[test]
    fn the_bar_is_as_full_as_the_file_is_read_and_goes_away() {
        let (screen, progress) = progress(Some(1_000));
        let filled = || lock(&screen.0).chars().filter(|char| *char == '█').count();
        for (bytes, expected) in [(250, 10), (250, 20), (500, 40)] {
            progress.line(bytes);
            assert_eq!(filled(), expected, "{screen:?}");
        }
        assert!(lock(&screen.0).contains("100 %, 3 lines, "), "{screen:?}");
        drop(progress);
        assert_eq!(lock(&screen.0).trim(), "");
    }

    #[test]
    fn without_a_length_the_lines_are_counted() {
        let (screen, progress) = progress(None);
        progress.line(7);
        progress.line(7);
        let drawn = lock(&screen.0).clone();
        assert!(drawn.contains(" 2 lines, ") && !drawn.contains('%'), "{drawn}");
    }

    #[test]
    fn the_lines_of_a_file_are_all_of_its_bytes() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/flights-week1.jsonl");
        let mut input = Input::open(Some(&file)).unwrap();
        let (_, progress) = progress(input.total());
        while let Some(line) = input.next_line().unwrap() {
            progress.line(line.read);
        }
        assert_eq!((progress.bar.length(), progress.bar.position()), (input.total(), input.total().unwrap()));
    }
}
