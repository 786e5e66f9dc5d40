//! Values with commas between, as RFC 4180 has them.

use std::borrow::Cow;

/// What a formula begins with, or what spreadsheets skip or fold before they look: the wide signs of East Asia are the
/// narrow ones to some.
const FORMULA: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// A value as it stands in a line.
pub fn field(text: &str) -> Cow<'_, str> {
    // A client chooses some of these texts, and a spreadsheet would run one that begins so.
    let is_formula = text.starts_with(FORMULA);
    if !is_formula && !text.contains(['"', ',', '\n', '\r']) {
        return Cow::Borrowed(text);
    }
    let guard = if is_formula { "'" } else { "" };
    Cow::Owned(format!("\"{guard}{}\"", text.replace('"', "\"\"")))
}

/// The values of the record at the beginning of `text`, and what follows it; none if a quote is not closed, or stands
/// where none can.
pub fn record(text: &str) -> Option<(Vec<String>, &str)> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (field, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find([',', '\n']).unwrap_or(rest.len());
                let field = rest[..end].trim_end_matches('\r');
                if field.contains('"') {
                    return None;
                }
                (field.to_owned(), &rest[end..])
            }
        };
        fields.push(field);
        match behind.strip_prefix(',') {
            Some(more) => rest = more,
            None => {
                let behind = behind.strip_prefix('\r').unwrap_or(behind);
                let next = behind
                    .strip_prefix('\n')
                    .or((behind.is_empty()).then_some(""))?;
                return Some((fields, next));
            }
        }
    }
}

/// What stands before the closing quote, and what follows that.
fn quoted_field(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        field.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None => return Some((field, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{field, record};
    use proptest::prelude::{prop, proptest};

    #[test]
    fn records_are_read_and_broken_ones_refused() {
        let fields = |text| record(text).map(|(fields, _)| fields);
        let some = |fields: &[&str]| Some(fields.iter().map(|f| (*f).to_owned()).collect());
        assert_eq!(
            fields("a,,\"b\"\"\n,\"\r\nrest"),
            some(&["a", "", "b\"\n,"])
        );
        assert_eq!(record("a\r\nb").map(|(_, rest)| rest), Some("b"));
        for broken in ["\"a", "a\"b", "\"a\"b"] {
            assert_eq!(record(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_formula_becomes_text() {
        assert_eq!(field("=1+1"), "\"'=1+1\"");
        assert_eq!(field("\n=1+1"), "\"'\n=1+1\"");
        assert_eq!(field("\u{ff1d}1+1"), "\"'\u{ff1d}1+1\"");
        assert_eq!(field("gpt-5"), "gpt-5");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(texts in prop::collection::vec("[a-z\",\n\r ]{0,8}", 1..5)) {
            let texts: Vec<String> = texts.into_iter().filter(|text| !text.starts_with(['\r', '\n'])).collect();
            let line: Vec<_> = texts.iter().map(|text| field(text)).collect();
            if !texts.is_empty() {
                assert_eq!(record(&format!("{}\nx", line.join(","))), Some((texts, "x")));
            }
        }
    }
}
