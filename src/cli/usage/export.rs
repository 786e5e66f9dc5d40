//! `weir usage --export`: every call, one a line, in the order in which they began.

use super::{Ending, Format, Options};
use crate::ledger::{self, Reports, Wanted};
use anyhow::Context;
use std::io::{ErrorKind, Write};

pub(super) async fn run(reports: &Reports, options: &Options) -> Result<(), Ending> {
    let format = match options.format {
        None | Some(Format::Json) => ledger::Format::JsonLines,
        Some(Format::Csv) => ledger::Format::Csv,
        Some(Format::Table) => {
            return Err(Ending::Mistake(
                "--format: an export is jsonl or csv".to_owned(),
            ));
        }
    };
    if options
        .after
        .as_deref()
        .is_some_and(|id| !Wanted::is_id(id))
    {
        return Err(Ending::Mistake(
            "--after: expected the `id` of the last call that was exported".to_owned(),
        ));
    }
    let (since, until) = options.span(None)?;
    let mut wanted = Some(Wanted {
        since,
        until,
        after: options.after.clone(),
        only: options.filters.only(),
    });
    let mut out = std::io::stdout().lock();
    // An export that goes on has its heading already.
    let head = format.head();
    let mut text = if options.after.is_none() {
        head
    } else {
        String::new()
    };
    loop {
        match out.write_all(text.as_bytes()) {
            // Whoever reads has seen enough, as `head` does.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written.context("the export cannot be written")?,
        }
        let Some(next) = wanted else {
            break;
        };
        let batch = reports.export(next, format).await;
        let batch = batch.context("the ledger cannot be read")?;
        (text, wanted) = (batch.text, batch.rest);
    }
    out.flush().context("the export cannot be written")?;
    Ok(())
}
