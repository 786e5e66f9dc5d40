//! `weir check`: every mistake in the configuration, with its line.

use super::{Ending, say};
use crate::config::{Flags, load};

pub(super) fn run(flags: &Flags) -> Result<(), Ending> {
    let loaded = load(flags).map_err(|problems| {
        let count = problems.0.len();
        let mistakes = if count == 1 { "mistake" } else { "mistakes" };
        Ending::Mistake(format!(
            "{count} {mistakes} in the configuration\n{problems}"
        ))
    })?;
    let source = loaded.source.map_or_else(
        || "the built-in configuration".to_owned(),
        |path| path.display().to_string(),
    );
    say(&format!(
        "{source}: good (upstreams: {}, models: {})",
        loaded.config.upstreams.len(),
        loaded.config.models.len()
    ));
    for name in loaded.left_out {
        say(&format!(
            "upstream `{name}` is left out: its credential is not there"
        ));
    }
    Ok(())
}
