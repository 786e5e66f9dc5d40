//! The terminal's side of a conversation.

use std::io::{BufRead, IsTerminal, Write};
use tokio::runtime::Runtime;

/// Longer lines end here; a question that long comes from a pipe.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// The next line that someone types; none at the end.
pub(super) async fn read(runtime: &Runtime) -> std::io::Result<Option<String>> {
    let typed = runtime.spawn_blocking(|| {
        let mut out = std::io::stdout().lock();
        out.write_all(b"> ")?;
        out.flush()?;
        drop(out);
        let mut line = String::new();
        let mut input = std::io::Read::take(std::io::stdin().lock(), LINE_BYTES_MAX);
        let read = input.read_line(&mut line)?;
        Ok((read > 0).then_some(line))
    });
    typed.await.map_err(std::io::Error::other)?
}

/// Shows a piece of an answer at once. A model's words may be instructions to a terminal, so those are left out there.
pub(super) fn show(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if out.is_terminal() {
        out.write_all(harmless(text).as_bytes())?;
    } else {
        out.write_all(text.as_bytes())?;
    }
    out.flush()
}

fn harmless(text: &str) -> String {
    let is_text = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().filter(is_text).collect()
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn words_pass_and_instructions_to_a_terminal_do_not() {
        assert_eq!(harmless("a\tb\nü 🦀"), "a\tb\nü 🦀");
        assert_eq!(harmless("\x1b]0;title\x07x\u{9b}31m\r"), "]0;titlex31m");
    }
}
