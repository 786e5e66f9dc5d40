//! Where credentials come from: a variable or a file, never the configuration itself.
//!
//! Nothing here prints what it was given, because a mistake is often the credential in the wrong place.

use super::{environment::Environment, read::At, report::Report, tree::Place};
use crate::domain::Secret;
use std::{fs, io};
use zeroize::Zeroizing;

const ADMIN_KEY: &str = "WEIR_ADMIN_KEY";
const ADMIN_KEY_BYTES_MIN: usize = 16; // shorter ones can be guessed over a network

/// What a credential's address led to.
pub(super) enum Found {
    /// The credential.
    Here(Secret),
    /// Nothing there yet, and why.
    Missing(String),
}

/// Reads `"$NAME"` or `"file:/path"` and fetches what it names.
pub(super) fn secret(environment: &Environment) -> impl FnOnce(At<'_>) -> Option<Found> {
    move |at| fetch(&at, environment)
}

/// [`secret`] of a value that is looked at further.
pub(super) fn fetch(at: &At<'_>, environment: &Environment) -> Option<Found> {
    let address = at.text()?;
    if let Some(name) = address.strip_prefix('$').filter(|name| is_variable(name)) {
        return match environment.get(name).filter(|value| !value.is_empty()) {
            Some(value) => fit(at, value),
            None => Some(Found::Missing(format!("the variable {name} is not set"))),
        };
    }
    if let Some(path) = address
        .strip_prefix("file:")
        .filter(|path| !path.is_empty())
    {
        return match fs::read_to_string(path).map(Zeroizing::new) {
            Ok(content) => fit(at, content.trim_end_matches(['\r', '\n'])),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Some(Found::Missing(format!("{path} does not exist")))
            }
            Err(error) => at.refuse(format!("{path} cannot be read: {error}")),
        };
    }
    at.refuse("a secret is written as \"$NAME\" or \"file:/path\", so that it is not in this file")
}

/// The admin key that the environment gives; an empty one counts as none.
pub(super) fn admin_key(environment: &Environment, report: &Report) -> Option<Secret> {
    let key = environment.get(ADMIN_KEY).filter(|key| !key.is_empty())?;
    if key.len() < ADMIN_KEY_BYTES_MIN || !is_visible(key) {
        let message = format!(
            "must be {ADMIN_KEY_BYTES_MIN} or more visible ASCII characters without spaces"
        );
        report.refuse(&Place::Environment(ADMIN_KEY.to_owned()), "", message);
    }
    Some(Secret::new(key))
}

/// Accepts what a header can carry.
fn fit(at: &At<'_>, secret: &str) -> Option<Found> {
    if !secret.is_empty() && is_visible(secret) {
        return Some(Found::Here(Secret::new(secret)));
    }
    at.refuse("the secret is empty, or has characters other than visible ASCII")
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_variable(name: &str) -> bool {
    let first = name.bytes().next();
    first.is_some_and(|byte| !byte.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}
