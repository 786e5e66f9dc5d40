//! The texts of an event that is not complete: a client that leaves now, or an upstream that dies, makes them texts
//! that nobody was ever sent.

use super::Watch;
use crate::wire::answer::Part;

#[derive(Default)]
pub(super) struct Begun(Vec<(u32, Part, String)>);

impl Begun {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, choice: u32, part: Part, text: &str) {
        self.0.push((choice, part, text.to_owned()));
    }

    /// Makes one of the texts that go on from piece to piece, so that tiny pieces cost no more than their text; those
    /// `from` there on are new.
    pub(super) fn join(&mut self, from: usize) {
        for (choice, part, text) in self.0.split_off(from) {
            match self.0.last_mut() {
                Some((of, what, begun)) if (*of, *what) == (choice, part) => begun.push_str(&text),
                _ => self.0.push((choice, part, text)),
            }
        }
    }

    /// Tells the first of them, whose events are complete; true if there are any.
    pub(super) fn tell(&mut self, texts: usize, watch: &mut impl Watch) -> bool {
        if texts == 0 {
            return false; // nearly always
        }
        for (choice, part, text) in self.0.drain(..texts) {
            watch.text(choice, part, &text);
        }
        true
    }
}
