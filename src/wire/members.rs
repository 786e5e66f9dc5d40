//! The members of a request's object, read by name: what nobody asks for is not read, and so can change nothing.

use crate::domain::{is_visible, nearest};
use serde_json::{Map, Value};
use std::fmt;

/// What is wrong with a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Its name, with those of the objects that it is in before it.
    pub name: String,
    /// What is wrong with it.
    pub why: Why,
}

/// What can be wrong with a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is not there, and must be.
    Missing,
    /// It is there, and nobody knows it; the one that was meant, perhaps.
    Unknown(Option<String>),
    /// What it must be instead.
    Wrong(String),
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.why {
            Why::Missing => write!(f, "missing required parameter: `{name}`"),
            Why::Unknown(None) => write!(f, "unknown parameter: `{name}`"),
            Why::Unknown(Some(near)) => {
                write!(f, "unknown parameter: `{name}`; did you mean `{near}`?")
            }
            Why::Wrong(expected) => write!(f, "`{name}` must be {expected}"),
        }
    }
}

/// Names and what stands under them.
type Pairs<T> = Vec<(String, T)>;

/// An object of a request. A member that is null is one that was left out, unless something else is said.
#[derive(Clone, Debug, Default)]
pub struct Members {
    object: Map<String, Value>,
    /// The name of the object and a dot, or nothing.
    prefix: String,
}

impl From<Map<String, Value>> for Members {
    fn from(object: Map<String, Value>) -> Self {
        Self {
            object,
            prefix: String::new(),
        }
    }
}

impl Members {
    /// A mistake about a member.
    pub fn wrong(&self, name: &str, expected: impl Into<String>) -> Mistake {
        Mistake {
            name: format!("{}{name}", self.prefix),
            why: Why::Wrong(expected.into()),
        }
    }

    /// That a member is missing.
    pub fn missing(&self, name: &str) -> Mistake {
        Mistake {
            name: format!("{}{name}", self.prefix),
            why: Why::Missing,
        }
    }

    /// Refuses members that have none of these names: what is spelled wrong is not left out in silence.
    pub fn only(&self, known: &[&str]) -> Result<(), Mistake> {
        let mut names = self.object.keys();
        let Some(stray) = names.find(|name| !known.contains(&name.as_str())) else {
            return Ok(());
        };
        // As much of it as one line can tell: somebody else chose it.
        let shown: String = stray.chars().filter(|c| !c.is_control()).take(64).collect();
        let near = nearest(&shown, known).map(|near| format!("{}{near}", self.prefix));
        Err(Mistake {
            name: format!("{}{shown}", self.prefix),
            why: Why::Unknown(near),
        })
    }

    /// Whether a member is there, if only as null.
    pub fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    /// A text of so many characters, none of which is a control character.
    pub fn text(&self, name: &str, least: usize, most: usize) -> Result<Option<String>, Mistake> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let text = value.as_str().filter(|text| is_sane(text, least, most));
        let expected = format!("a text of {least} to {most} characters without control characters");
        text.map(|text| Some(text.to_owned()))
            .ok_or_else(|| self.wrong(name, expected))
    }

    /// A number in a range.
    pub fn number(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, Mistake> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let number = value
            .as_u64()
            .filter(|number| (least..=most).contains(number));
        let expected = format!("a whole number from {least} to {most}");
        number.map(Some).ok_or_else(|| self.wrong(name, expected))
    }

    /// True or false.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Mistake> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let flag = value.as_bool().map(Some);
        flag.ok_or_else(|| self.wrong(name, "true or false"))
    }

    /// One of some words; what it stands for.
    pub fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Mistake> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let found = words.iter().find(|(word, _)| value == word);
        let expected = || {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            words.join(" or ")
        };
        found
            .map(|(_, meaning)| Some(*meaning))
            .ok_or_else(|| self.wrong(name, expected()))
    }

    /// A list of so many texts of 1 to `chars` characters.
    pub fn texts(
        &self,
        name: &str,
        items: usize,
        chars: usize,
    ) -> Result<Option<Vec<String>>, Mistake> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let text = |value: &Value| {
            let text = value.as_str().filter(|text| is_sane(text, 1, chars));
            text.map(str::to_owned)
        };
        let list = value.as_array().filter(|list| list.len() <= items);
        let texts: Option<Vec<String>> = list.and_then(|list| list.iter().map(text).collect());
        let expected = format!("a list of at most {items} texts of 1 to {chars} characters");
        texts.map(Some).ok_or_else(|| self.wrong(name, expected))
    }

    /// Up to `pairs` names and texts, each within its number of characters.
    pub fn pairs(
        &self,
        name: &str,
        bounds: (usize, usize, usize),
    ) -> Result<Option<Pairs<String>>, Mistake> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        self.map(name, bounds, text)
    }

    /// The same where null takes a text away.
    pub fn changes(
        &self,
        name: &str,
        bounds: (usize, usize, usize),
    ) -> Result<Option<Pairs<Option<String>>>, Mistake> {
        let text = |value: &Value| match value {
            Value::Null => Some(None),
            value => value.as_str().map(|text| Some(text.to_owned())),
        };
        self.map(name, bounds, text)
    }

    fn map<T>(
        &self,
        name: &str,
        (pairs, name_chars, text_chars): (usize, usize, usize),
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<Pairs<T>>, Mistake> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let is_short = |text: &str| text.chars().count() <= text_chars;
        let pair = |(name, value): (&String, &Value)| {
            let fits = is_sane(name, 1, name_chars) && value.as_str().is_none_or(is_short);
            fits.then(|| Some((name.clone(), read(value)?)))?
        };
        let object = value.as_object().filter(|object| object.len() <= pairs);
        let found: Option<Vec<_>> = object.and_then(|object| object.iter().map(pair).collect());
        let expected = format!(
            "an object of at most {pairs} texts of up to {text_chars} characters, with names of up to {name_chars}"
        );
        found.map(Some).ok_or_else(|| self.wrong(name, expected))
    }

    /// An object.
    pub fn object(&self, name: &str) -> Result<Option<Self>, Mistake> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let object = value
            .as_object()
            .ok_or_else(|| self.wrong(name, "an object"))?;
        Ok(Some(Self {
            object: object.clone(),
            prefix: format!("{}{name}.", self.prefix),
        }))
    }

    /// A list of so many objects at most; without one, none.
    pub fn objects(&self, name: &str, items: usize) -> Result<Vec<Self>, Mistake> {
        let Some(value) = self.value(name) else {
            return Ok(Vec::new());
        };
        let object = |(at, value): (usize, &Value)| {
            Some(Self {
                object: value.as_object()?.clone(),
                prefix: format!("{}{name}.{at}.", self.prefix),
            })
        };
        let list = value.as_array().filter(|list| list.len() <= items);
        let objects = list.and_then(|list| list.iter().enumerate().map(object).collect());
        objects.ok_or_else(|| self.wrong(name, format!("a list of at most {items} objects")))
    }

    /// What a reader found, which must be there.
    pub fn required<T>(&self, name: &str, found: Option<T>) -> Result<T, Mistake> {
        found.ok_or_else(|| self.missing(name))
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }
}

fn is_sane(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.chars().count()) && text.chars().all(is_visible)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn members(value: Value) -> Members {
        let Value::Object(object) = value else {
            panic!("{value}");
        };
        object.into()
    }

    #[test]
    fn what_is_there_is_read_and_what_is_not_is_none() {
        let it =
            members(json!({"a": "x", "n": 5, "b": true, "l": ["y"], "p": {"k": "v"}, "z": null}));
        assert_eq!(it.text("a", 1, 3), Ok(Some("x".to_owned())));
        assert_eq!(it.number("n", 5, 5), Ok(Some(5)));
        assert_eq!(it.flag("b"), Ok(Some(true)));
        assert_eq!(it.word("a", &[("x", 7)]), Ok(Some(7)));
        assert_eq!(it.texts("l", 1, 1), Ok(Some(vec!["y".to_owned()])));
        let pair = ("k".to_owned(), "v".to_owned());
        assert_eq!(it.pairs("p", (1, 1, 1)), Ok(Some(vec![pair])));
        assert_eq!(
            (it.text("z", 1, 1), it.has("z"), it.has("y")),
            (Ok(None), true, false)
        );
        assert_eq!(it.number("y", 0, 1), Ok(None));
        let list = members(json!({"l": [{"n": 1}, {"n": -1}]}));
        let items = list.objects("l", 2).unwrap();
        assert_eq!(items[0].number("n", 0, 1), Ok(Some(1)));
        assert_eq!(items[1].number("n", 0, 1).unwrap_err().name, "l.1.n");
        assert!(list.objects("l", 1).is_err());
        assert_eq!(list.objects("x", 1).map(|none| none.len()), Ok(0));
    }

    #[test]
    fn what_is_wrong_is_named_with_all_that_it_is_in() {
        let it = members(
            json!({"a": "", "n": 1.5, "b": 1, "l": [1], "p": {"k": 1}, "o": {"n": -1}, "c": "a\nb"}),
        );
        let name = |mistake: Mistake| mistake.name;
        assert_eq!(it.text("a", 1, 3).map_err(name), Err("a".to_owned()));
        assert_eq!(it.text("c", 1, 3).map_err(name), Err("c".to_owned()));
        assert_eq!(it.number("n", 0, 9).map_err(name), Err("n".to_owned()));
        assert_eq!(it.flag("b").map_err(name), Err("b".to_owned()));
        assert_eq!(it.texts("l", 9, 9).map_err(name), Err("l".to_owned()));
        assert_eq!(it.pairs("p", (9, 9, 9)).map_err(name), Err("p".to_owned()));
        assert!(it.object("n").is_err());
        assert!(it.objects("l", 9).is_err() && it.objects("o", 9).is_err());
        let inner = it.object("o").unwrap().unwrap();
        let wrong = inner.number("n", 0, 9).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "`o.n` must be a whole number from 0 to 9"
        );
        assert_eq!(inner.only(&["m", "n"]), Ok(()));
        assert_eq!(
            inner.only(&["number"]).unwrap_err().to_string(),
            "unknown parameter: `o.n`"
        );
        let near = members(json!({"limit": {}})).only(&["limits", "tier"]);
        assert_eq!(
            near.unwrap_err().to_string(),
            "unknown parameter: `limit`; did you mean `limits`?"
        );
        assert_eq!(
            inner.missing("x").to_string(),
            "missing required parameter: `o.x`"
        );
    }
}
