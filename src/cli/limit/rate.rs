//! `weir limit rate`.

use super::Scope;
use crate::{
    cli::{
        Ending,
        amount::{Amount, amount},
        office::{Office, ending},
    },
    directory::RateLimit,
    domain::matches,
};
use clap::Args;

#[derive(Args)]
pub(in crate::cli) struct Rate {
    /// The model
    model: String,
    /// The project's id
    #[arg(long, value_name = "ID")]
    project: String,
    #[command(flatten)]
    figures: Figures,
    /// A JSON object with all that the project may do
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[group(id = "figures", required = true, multiple = true)]
struct Figures {
    /// Requests a minute; `none` for no limit, as in all of these
    #[arg(long, value_name = "N", value_parser = amount)]
    requests_per_minute: Option<Amount>,
    /// Tokens a minute
    #[arg(long, value_name = "N", value_parser = amount)]
    tokens_per_minute: Option<Amount>,
    /// Images a minute
    #[arg(long, value_name = "N", value_parser = amount)]
    images_per_minute: Option<Amount>,
    /// Megabytes of audio a minute
    #[arg(long, value_name = "N", value_parser = amount)]
    audio_megabytes_per_minute: Option<Amount>,
    /// Requests a day
    #[arg(long, value_name = "N", value_parser = amount)]
    requests_per_day: Option<Amount>,
    /// Input tokens of batches a day
    #[arg(long, value_name = "N", value_parser = amount)]
    batch_tokens_per_day: Option<Amount>,
}

impl Figures {
    fn read(&self) -> [Option<Option<u64>>; RateLimit::NAMES.len()] {
        let figures = [
            self.requests_per_minute,
            self.tokens_per_minute,
            self.images_per_minute,
            self.audio_megabytes_per_minute,
            self.requests_per_day,
            self.batch_tokens_per_day,
        ];
        figures.map(|figure| figure.map(|Amount(limit)| limit))
    }
}

/// Sets what is named. `models` are the names that clients may ask for, in which one `*` stands for any text.
pub(super) async fn set(office: &Office, rate: Rate, models: &[String]) -> Result<Scope, Ending> {
    let Office { directory, by, .. } = office;
    let (project, model) = (rate.project, rate.model);
    let allowance = directory.allowance(Some(project.clone())).await;
    let known = allowance.map_err(ending)?.rate_limits;
    // One that has a limit may have left the config since.
    let is_there = |model: &str| models.iter().any(|name| matches(name, model));
    if !known.contains_key(&*model) && !is_there(&model) {
        let why = format!("the configuration has no model `{model}`");
        return Err(Ending::Mistake(why));
    }
    let set = directory.set_rate_limit(by.clone(), project.clone(), model, rate.figures.read());
    set.await.map_err(ending)?;
    Ok(Scope {
        project: Some(project),
        json: rate.json,
    })
}
