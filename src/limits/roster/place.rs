//! Where a part of the roster begins, as its readers write it: `key:key_0123456789abcdef`.

use crate::domain::is_visible;
use std::fmt;

/// Of an id, in characters.
const ID_CHARS_MAX: usize = 256;

/// A kind of whom the store knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Projects,
    Users,
    Accounts,
    Keys,
}

/// All of them in their order, with the word for one.
const SECTIONS: [(&str, Section); 4] = [
    ("project", Section::Projects),
    ("user", Section::Users),
    ("service_account", Section::Accounts),
    ("key", Section::Keys),
];

/// Where a part begins: after somebody, or with the first of a section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    at: usize,
    pub(super) after: Option<String>,
}

impl Place {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (word, after) = text.split_once(':')?;
        let at = SECTIONS.iter().position(|(known, _)| *known == word)?;
        let is_id = after.chars().count() <= ID_CHARS_MAX && after.chars().all(is_visible);
        let after = Some(after.to_owned()).filter(|after| !after.is_empty());
        is_id.then_some(Self { at, after })
    }

    pub(super) fn section(&self) -> Section {
        SECTIONS[self.at].1
    }

    /// Where to go on after `last`, or in the next section if there is none; none: nowhere.
    pub(super) fn following(&self, last: Option<String>) -> Option<Self> {
        let at = self.at + usize::from(last.is_none());
        (at < SECTIONS.len()).then_some(Self { at, after: last })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = self.after.as_deref().unwrap_or_default();
        write!(f, "{}:{after}", SECTIONS[self.at].0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        let mut place = Place::default();
        let mut seen = vec![place.to_string()];
        for last in [Some("proj_a:b"), None, None, Some("svc_acct_x"), None] {
            place = place.following(last.map(str::to_owned)).unwrap();
            seen.push(place.to_string());
        }
        let expected = [
            "project:",
            "project:proj_a:b",
            "user:",
            "service_account:",
            "service_account:svc_acct_x",
            "key:",
        ];
        assert_eq!(seen, expected);
        assert_eq!(place.following(None), None);
        for text in expected {
            assert_eq!(Place::parse(text).unwrap().to_string(), text);
        }
        let long = format!("key:{}", "k".repeat(257));
        for bad in ["", "key", "keys:", "key:\0", &long] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }
}
