//! The query of a URL: names and values, as OpenAI's libraries write them.

use super::percent;
use std::fmt;

/// Pairs in one query: far beyond what a person or a library writes.
const PAIRS_MAX: usize = 512;

/// What is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// It is no query at all.
    Syntax,
    /// It has more parameters than anybody reads.
    TooMany,
    /// A parameter that must be there is not.
    Missing(&'static str),
    /// A parameter that takes one value has several.
    Twice(&'static str),
    /// There is no such parameter here. Left out in silence, it would be a filter that does not filter.
    Unknown(String),
    /// The value is not what the parameter takes, which is this.
    Wrong(&'static str, String),
}

impl Mistake {
    /// The parameter that is wrong.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Syntax | Self::TooMany => None,
            Self::Missing(name) | Self::Twice(name) | Self::Wrong(name, _) => Some(name),
            Self::Unknown(name) => Some(name),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => write!(f, "the query is not `name=value&…`, percent-encoded"),
            Self::TooMany => write!(f, "the query has more than {PAIRS_MAX} parameters"),
            Self::Missing(name) => write!(f, "missing required parameter: `{name}`"),
            Self::Twice(name) => write!(f, "`{name}` takes one value"),
            Self::Unknown(name) => write!(f, "unknown parameter: `{name}`"),
            Self::Wrong(name, expected) => write!(f, "`{name}` must be {expected}"),
        }
    }
}

/// A query that was read.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what stands behind the `?`. No parameter is known but these `names`; those of lists may end in `[]`.
    pub fn parse(query: Option<&str>, names: &[&str]) -> Result<Self, Mistake> {
        let pairs: Vec<&str> = query.map_or_else(Vec::new, |query| {
            let pairs = query.split('&').filter(|pair| !pair.is_empty());
            pairs.take(PAIRS_MAX + 1).collect()
        });
        if pairs.len() > PAIRS_MAX {
            return Err(Mistake::TooMany);
        }
        let read = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name)?;
            let name = name.strip_suffix("[]").unwrap_or(&name);
            if !names.contains(&name) {
                return Err(Mistake::Unknown(name.to_owned()));
            }
            Ok((name.to_owned(), decode(value)?))
        };
        pairs
            .into_iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// All values of a parameter.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let pairs = self.0.iter().filter(move |(known, _)| known == name);
        pairs.map(|(_, value)| value.as_str())
    }

    /// A number that tells apart what two queries ask, whatever the order of their parameters; `but` is left out.
    pub fn digest(&self, but: &str) -> u32 {
        let pairs = self.0.iter().filter(|(name, _)| name != but);
        let mut pairs: Vec<_> = pairs.map(|(name, value)| [name, value]).collect();
        pairs.sort_unstable();
        // FNV-1a: against mistakes, not against forgery. No text has the byte that ends one.
        let texts = pairs.into_iter().flatten();
        let bytes = texts.flat_map(|text| text.bytes().chain([0xff]));
        bytes.fold(0x811c_9dc5, |sum, byte| {
            (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        })
    }

    /// The value of a parameter that takes one.
    pub fn one(&self, name: &'static str) -> Result<Option<&str>, Mistake> {
        let mut values = self.all(name);
        let value = values.next();
        match values.next() {
            Some(_) => Err(Mistake::Twice(name)),
            None => Ok(value),
        }
    }

    /// The value of a parameter that is a number.
    pub fn number(&self, name: &'static str) -> Result<Option<u64>, Mistake> {
        let read = |text: &str| {
            let wrong = || Mistake::Wrong(name, "a whole number that is not negative".to_owned());
            text.parse().map_err(|_| wrong())
        };
        self.one(name)?.map(read).transpose()
    }

    /// The value of a parameter that is one of some words; what each stands for.
    pub fn word<T: Copy>(
        &self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Mistake> {
        self.one(name)?
            .map(|text| meaning(name, text, words))
            .transpose()
    }

    /// The values of a parameter that lists some words; what each stands for, once.
    pub fn words<T: Copy + PartialEq>(
        &self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Result<Vec<T>, Mistake> {
        let mut meanings = Vec::new();
        for text in self.all(name) {
            let meaning = meaning(name, text, words)?;
            if !meanings.contains(&meaning) {
                meanings.push(meaning);
            }
        }
        Ok(meanings)
    }
}

fn meaning<T: Copy>(name: &'static str, text: &str, words: &[(&str, T)]) -> Result<T, Mistake> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        Mistake::Wrong(name, words.join(" or "))
    })
}

fn decode(text: &str) -> Result<String, Mistake> {
    // In a query a plus is a space; a real plus is encoded.
    percent::decode(&text.replace('+', " ")).ok_or(Mistake::Syntax)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_with_brackets_and_without() {
        let query =
            Query::parse(Some("a[]=1&a=2&a%5B%5D=x%20y&b=c+d%2Be&"), &["a", "b", "c"]).unwrap();
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2", "x y"]);
        assert_eq!(query.one("b"), Ok(Some("c d+e")));
        assert_eq!(query.one("c"), Ok(None));
        assert_eq!(query.one("a"), Err(Mistake::Twice("a")));
    }

    #[test]
    fn a_digest_is_of_what_is_asked_in_any_order() {
        let digest = |query: &str| {
            let query = Query::parse(Some(query), &["a", "b", "page"]).unwrap();
            query.digest("page")
        };
        assert_eq!(digest("a=1&b=2"), digest("page=x&b=2&a=1&page=y"));
        for other in ["a=1", "a=1&b=3", "a=2&b=1", "a=1b&b=2", "a=1&a=1&b=2"] {
            assert_ne!(digest("a=1&b=2"), digest(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_query_or_not_known_is_refused() {
        let parse = |query: &str| Query::parse(Some(query), &["a"]).map(|_| ());
        assert_eq!(parse("a=%zz"), Err(Mistake::Syntax));
        assert_eq!(parse("b=1"), Err(Mistake::Unknown("b".to_owned())));
        assert_eq!(parse(&"a=1&".repeat(PAIRS_MAX + 1)), Err(Mistake::TooMany));
        assert_eq!(parse(&"a=1&".repeat(PAIRS_MAX)), Ok(()));
    }

    #[test]
    fn values_are_numbers_or_words_or_mistakes() {
        let query = Query::parse(Some("n=-1&w=day&w=hour&w=day"), &["n", "w"]).unwrap();
        assert!(matches!(query.number("n"), Err(Mistake::Wrong("n", _))));
        let words = [("hour", 1), ("day", 2)];
        assert_eq!(query.words("w", &words), Ok(vec![2, 1]));
        assert_eq!(
            query.words("w", &words[..1]),
            Err(Mistake::Wrong("w", "`hour`".to_owned()))
        );
    }
}
