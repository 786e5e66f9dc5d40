//! One line a request, written by hand: it is the one log line that every request pays for.

use super::Log;
use crate::{
    config::LogFormat,
    domain::{KeyId, RequestId, Usage, is_visible, put_digits},
};
use std::{
    fmt,
    io::Write,
    net::IpAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What is said of a request. Never a credential, a prompt or an answer.
#[derive(Debug)]
pub struct Access<'a> {
    /// Its id.
    pub request: &'a RequestId,
    /// Whose it was.
    pub key: Option<KeyId>,
    /// Who sent it.
    pub client: IpAddr,
    /// The method.
    pub method: &'a http::Method,
    /// The path, without its query.
    pub path: &'a str,
    /// The model asked for.
    pub model: Option<&'a str>,
    /// Who answered.
    pub upstream: Option<&'a str>,
    /// The status of the answer.
    pub status: u16,
    /// How it ended.
    pub outcome: &'static str,
    /// From its first byte to the last of the answer.
    pub duration: Duration,
    /// To the first piece of the answer.
    pub first: Option<Duration>,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// What it used, as far as the upstream said.
    pub usage: Usage,
}

impl Access<'_> {
    /// Writes the line.
    pub fn write(&self, log: &Log) {
        let mut line = Vec::with_capacity(384);
        let mut fields = match log.format() {
            LogFormat::Text => Fields {
                line: &mut line,
                json: false,
            },
            LogFormat::Json => Fields {
                line: &mut line,
                json: true,
            },
        };
        fields.open(SystemTime::now());
        self.fields(&mut fields);
        fields.close();
        log.line(&line);
    }

    fn fields(&self, fields: &mut Fields<'_>) {
        fields.word("request.id", self.request.as_str());
        if let Some(key) = &self.key {
            fields.word("key.id", key.as_str());
        }
        fields.address("client.address", self.client);
        fields.text("method", self.method.as_str());
        fields.text("path", self.path);
        if let Some(model) = self.model {
            fields.text("model", model);
        }
        if let Some(upstream) = self.upstream {
            fields.text("upstream.name", upstream);
        }
        fields.number("status", self.status.into());
        fields.word("outcome", self.outcome);
        fields.number("duration_ms", self.duration.as_millis() as u64);
        if let Some(first) = self.first {
            fields.number("first_ms", first.as_millis() as u64);
        }
        fields.number("bytes", self.bytes);
        if let Some(input) = self.usage.input {
            fields.number("tokens.input", input);
        }
        if let Some(output) = self.usage.output {
            fields.number("tokens.output", output);
        }
    }
}

/// Writes fields in the log's format.
struct Fields<'a> {
    line: &'a mut Vec<u8>,
    json: bool,
}

impl Fields<'_> {
    fn open(&mut self, now: SystemTime) {
        if self.json {
            self.put(b"{\"timestamp\":\"");
        }
        write_time(self.line, now);
        match self.json {
            true => self.put(b"\",\"level\":\"INFO\",\"message\":\"request\""),
            false => self.put(b"  INFO request"),
        }
    }

    fn close(&mut self) {
        match self.json {
            true => self.put(b"}\n"),
            false => self.put(b"\n"),
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.line.extend_from_slice(bytes);
    }

    fn name(&mut self, name: &str) {
        if self.json {
            self.put(b",\"");
            self.put(name.as_bytes());
            self.put(b"\":");
        } else {
            self.line.push(b' ');
            self.put(name.as_bytes());
            self.line.push(b'=');
        }
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        let plain = |b: u8| matches!(b, b'!'..=b'~') && b != b'"' && b != b'\\' && b != b'=';
        if !self.json && !value.is_empty() && value.bytes().all(plain) {
            self.put(value.as_bytes());
        } else {
            self.quoted(value);
        }
    }

    /// A JSON string, which is also how a text value with a space in it is written.
    fn quoted(&mut self, value: &str) {
        self.line.push(b'"');
        for c in value.chars() {
            match c {
                '"' => self.put(b"\\\""),
                '\\' => self.put(b"\\\\"),
                c if !is_visible(c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        self.show(format_args!("\\u{unit:04x}"));
                    }
                }
                c => self.put(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        self.line.push(b'"');
    }

    /// A text that is known to need no quoting: letters, digits and what joins them.
    fn word(&mut self, name: &str, value: &str) {
        self.plain(name, |fields| fields.put(value.as_bytes()));
    }

    fn address(&mut self, name: &str, address: IpAddr) {
        self.plain(name, |fields| match address {
            IpAddr::V4(address) => {
                for (i, part) in address.octets().into_iter().enumerate() {
                    if i > 0 {
                        fields.line.push(b'.');
                    }
                    push_number(fields.line, part.into());
                }
            }
            IpAddr::V6(address) => fields.show(format_args!("{address}")),
        });
    }

    fn show(&mut self, what: fmt::Arguments<'_>) {
        self.line.write_fmt(what).expect("memory takes all");
    }

    fn plain(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.name(name);
        if self.json {
            self.line.push(b'"');
        }
        write(self);
        if self.json {
            self.line.push(b'"');
        }
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        push_number(self.line, value);
    }
}

/// `2026-01-31T12:00:00.000000Z`, as the other lines of the log have it.
fn write_time(line: &mut Vec<u8>, now: SystemTime) {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = ((since.as_secs() / 86_400) as i64, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    put_digits(&mut text[0..4], year as u64);
    put_digits(&mut text[5..7], month as u64);
    put_digits(&mut text[8..10], day as u64);
    put_digits(&mut text[11..13], second / 3600);
    put_digits(&mut text[14..16], second / 60 % 60);
    put_digits(&mut text[17..19], second % 60);
    put_digits(&mut text[20..26], since.subsec_micros().into());
    line.extend_from_slice(&text);
}

/// Writes a number; the formatting machinery would cost more than all the rest.
fn push_number(line: &mut Vec<u8>, number: u64) {
    let mut text = [0; 20]; // as many as 64 bits can have
    let mut from = text.len();
    let mut rest = number;
    loop {
        from -= 1;
        text[from] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    line.extend_from_slice(&text[from..]);
}

/// The date that lies `days` after 1970-01-01, by counting in eras of 400 years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_out_right_around_leap_days() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(11_017), (2000, 3, 1));
        assert_eq!(civil(20_454), (2026, 1, 1));
        assert_eq!(civil(-1), (1969, 12, 31));
    }

    #[test]
    fn numbers_and_times_are_written_digit_by_digit() {
        let mut line = Vec::new();
        for number in [0, 7, 10, 409, u64::MAX] {
            push_number(&mut line, number);
            line.push(b' ');
        }
        assert_eq!(line, b"0 7 10 409 18446744073709551615 ");
        line.clear();
        write_time(
            &mut line,
            UNIX_EPOCH + Duration::from_micros(951_868_799_000_042),
        );
        assert_eq!(line, b"2000-02-29T23:59:59.000042Z");
    }

    #[test]
    fn hostile_values_stay_inside_their_quotes() {
        let mut line = Vec::new();
        Fields {
            line: &mut line,
            json: true,
        }
        .text("model", "a\"b\\c\nd\u{202e}\u{e0001}é");
        let text = ",\"model\":\"a\\\"b\\\\c\\u000ad\\u202e\\udb40\\udc01é\"";
        assert_eq!(line, text.as_bytes());
        line.clear();
        Fields {
            line: &mut line,
            json: false,
        }
        .text("path", "/v1 x=1");
        assert_eq!(line, b" path=\"/v1 x=1\"");
    }
}
