//! Where the nodes share their limits: a server by its URL, which is never quoted, for it may hold a password.

use super::{
    authorities,
    credential::{Found, fetch},
    environment::Environment,
    read::{At, Section},
};
use crate::domain::{Redis, Secret};
use redis::{ConnectionAddr, IntoConnectionInfo};

const EXPECTED: &str = "expected redis://HOST or rediss://USER:PASSWORD@HOST:PORT/DATABASE";
const PREFIX_BYTES_MAX: usize = 64;

/// The server that the section names; none if it names none.
pub(super) fn read(written: &mut Section<'_>, environment: &Environment) -> Option<Redis> {
    let prefix = written.must("redis_prefix", prefix);
    let server = written.must("redis_url", |at| server(&at, environment))?;
    server.map(|server| Redis {
        prefix: prefix.unwrap_or_default(),
        ..server
    })
}

/// What a URL names, or the variable or the file that holds the URL.
fn server(at: &At<'_>, environment: &Environment) -> Option<Option<Redis>> {
    let text = at.text()?;
    if text.is_empty() {
        return Some(None);
    }
    if !text.starts_with('$') && !text.starts_with("file:") {
        return parse(at, &text).map(Some);
    }
    match fetch(at, environment)? {
        Found::Here(url) => parse(at, url.expose()).map(Some),
        Found::Missing(why) => at.refuse(why),
    }
}

fn parse(at: &At<'_>, url: &str) -> Option<Redis> {
    let (tls, rest) = match url.split_once("://") {
        Some(("redis", rest)) => (false, rest),
        Some(("rediss", rest)) => (true, rest),
        _ => return at.refuse(EXPECTED),
    };
    let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let mut roots = None;
    for parameter in parameters.split('&').filter(|text| !text.is_empty()) {
        match parameter.split_once('=') {
            Some(("sslrootcert", path)) if tls => roots = Some(authorities::read(at, path)?),
            Some(("sslrootcert", _)) => {
                return at
                    .refuse("sslrootcert is for rediss: without TLS nobody is asked who they are");
            }
            _ => return at.refuse("the one parameter that a Redis URL has here is sslrootcert"),
        }
    }
    // TLS is Weir's own, so the driver's reader of URLs needs to know nothing of it.
    let Ok(known) = format!("redis://{rest}").into_connection_info() else {
        return at.refuse(EXPECTED);
    };
    let ConnectionAddr::Tcp(host, port) = known.addr().clone() else {
        return at.refuse(EXPECTED);
    };
    let settings = known.redis_settings();
    let Ok(database) = u16::try_from(settings.db()) else {
        return at.refuse("the database is a number from 0 to 65535");
    };
    Some(Redis {
        host,
        port,
        user: settings.username().map(str::to_owned),
        password: settings.password().map(Secret::new),
        database,
        tls,
        authorities: roots,
        prefix: String::new(),
    })
}

/// Nothing that means something in a pattern of keys or in the name of one.
fn prefix(at: At<'_>) -> Option<String> {
    let text = at.text()?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match (1..=PREFIX_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_name) {
        true => Some(text),
        false => at.refuse("expected 1 to 64 letters, digits and any of - _ ."),
    }
}
