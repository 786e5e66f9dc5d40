//! Where keys and usage are kept: a file, or a server by its URL.
//!
//! A URL is never quoted, for it may hold a password.

use super::{
    Store, authorities,
    credential::{Found, fetch},
    environment::Environment,
    read::{At, Section},
    redis,
};
use crate::domain::{Place, Postgres, Secret};
use std::path::{Path, PathBuf};
use tokio_postgres::config::Host;

/// The schema that is Weir's, unless the URL names one.
const SCHEMA: &str = "weir";
const SCHEMA_BYTES_MAX: usize = 63; // Postgres cuts longer names

/// Reads the section, together with the data directory: who sets only one of them means the other one too, if the
/// store is a file.
pub(super) fn read(
    mut written: Section<'_>,
    environment: &Environment,
    own_data_dir: bool,
    data_dir: &mut PathBuf,
) -> Store {
    let at = written.must("url", |at| place(at, environment));
    let redis = redis::read(&mut written, environment);
    let mut at = at.unwrap_or_else(|| Place::Sqlite(PathBuf::new()));
    if let Place::Sqlite(path) = &mut at {
        if written.is_own("url") && !own_data_dir {
            let parent = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            *data_dir = parent.unwrap_or(Path::new(".")).to_owned();
        } else if path.is_relative() {
            *path = data_dir.join(path.file_name().unwrap_or_default());
        }
    }
    let flight = data_dir.join("flight.table");
    Store { at, redis, flight }
}

/// What a URL names, or the variable or the file that holds the URL.
fn place(at: At<'_>, environment: &Environment) -> Option<Place> {
    let text = at.text()?;
    if !text.starts_with('$') && !text.starts_with("file:") {
        return parse(&at, &text);
    }
    match fetch(&at, environment)? {
        Found::Here(url) => parse(&at, url.expose()),
        Found::Missing(why) => at.refuse(why),
    }
}

fn parse(at: &At<'_>, url: &str) -> Option<Place> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
        return match path.file_name() {
            Some(name) if name != ":memory:" => Some(Place::Sqlite(path)),
            _ => at.refuse("expected the path of a file after `sqlite:`"),
        };
    }
    let is_postgres = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    if !is_postgres {
        return at.refuse("expected sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE");
    }
    let (mut server, roots) = match server(url) {
        Ok(found) => found,
        Err(why) => return at.refuse(why),
    };
    if let Some(path) = roots {
        server.authorities = Some(authorities::read(at, path)?);
    }
    Some(Place::Postgres(server))
}

/// What Weir reads of a Postgres URL itself, with the file of authorities that it names, and the rest for the driver.
fn server(url: &str) -> Result<(Postgres, Option<&str>), &'static str> {
    let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (mut schema, mut tls, mut roots) = (SCHEMA, false, None);
    let mut rest = Vec::new();
    for parameter in parameters.split('&').filter(|text| !text.is_empty()) {
        match parameter.split_once('=').unwrap_or((parameter, "")) {
            ("schema", name) => schema = name,
            ("sslmode", "disable") => tls = false,
            ("sslmode", "require" | "verify-full") => tls = true,
            ("sslmode", _) => {
                return Err(
                    "sslmode is `disable`, or `verify-full` (also as `require`): TLS to a server that proves who it is",
                );
            }
            ("sslrootcert", path) => roots = Some(path),
            _ => rest.push(parameter),
        }
    }
    let is_name = |name: &str| {
        (1..=SCHEMA_BYTES_MAX).contains(&name.len())
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.starts_with("pg_")
            && name
                .bytes()
                .all(|byte| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if !is_name(schema) {
        return Err("schema is a name of 1 to 63 lower-case letters, digits and _");
    }
    if roots.is_some() && !tls {
        return Err(
            "sslrootcert is for sslmode=verify-full: without it nobody is asked who they are",
        );
    }
    let mode = if tls { "require" } else { "disable" };
    let url = format!(
        "{base}?{}",
        [rest, vec![&format!("sslmode={mode}")]].concat().join("&")
    );
    let parsed: tokio_postgres::Config = url
        .parse()
        .map_err(|_| "the URL is not one that Postgres has")?;
    let server = Postgres {
        shown: shown(&parsed)?,
        url: Secret::new(url),
        schema: schema.to_owned(),
        tls,
        authorities: None,
    };
    Ok((server, roots))
}

/// The hosts and the database, without who knocks there.
fn shown(parsed: &tokio_postgres::Config) -> Result<String, &'static str> {
    let ports = parsed.get_ports();
    let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
    let hosts = parsed.get_hosts().iter().enumerate();
    let hosts: Vec<_> = hosts
        .map(|(at, host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(at)),
            Host::Unix(path) => path.display().to_string(),
        })
        .collect();
    let database = parsed.get_dbname().or(parsed.get_user());
    match (hosts.is_empty(), database) {
        (true, _) => Err("the URL names no host"),
        (_, None) => Err("the URL names no database"),
        (false, Some(database)) => Ok(format!("postgres://{}/{database}", hosts.join(","))),
    }
}
