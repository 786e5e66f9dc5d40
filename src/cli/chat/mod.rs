//! `weir chat`: a conversation with a model through the gateway, to see that all of it works.

mod answer;
mod line;

use super::{
    Ending, complain,
    gateway::{Gateway, secret},
    say,
};
use crate::{
    auth,
    config::{self, Flags},
    domain::Secret,
};
use answer::Said;
use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use std::io::{IsTerminal, Read};
use tokio::runtime::Runtime;

/// A prompt larger than this is more than the gateway takes by default.
const PROMPT_BYTES_MAX: u64 = 32 << 20;

#[derive(Args)]
pub(super) struct Options {
    /// What to ask; without it a conversation begins, or standard input is the question
    prompt: Vec<String>,
    /// The model [default: the first that the key may use]
    #[arg(long, short)]
    model: Option<String>,
    /// What the model is told first
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// The gateway [default: the one that the configuration describes]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The API key [default: the one that the first start wrote down]. Better in the variable: a flag can be seen
    #[arg(long, env = "WEIR_API_KEY", hide_env_values = true, value_parser = secret)]
    key: Option<Secret>,
}

pub(super) fn run(flags: &Flags, options: Options) -> Result<(), Ending> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime")?;
    let outcome = runtime.block_on(converse(flags, options, &runtime));
    // A thread may still wait for a line that nobody will type.
    runtime.shutdown_background();
    outcome
}

async fn converse(flags: &Flags, options: Options, runtime: &Runtime) -> Result<(), Ending> {
    let gateway = gateway(flags, options.url, options.key)?;
    let model = match options.model {
        Some(model) => model,
        None => gateway.first_model().await?,
    };
    let mut messages = Vec::new();
    if let Some(text) = options.system {
        messages.push(json!({"role": "system", "content": text}));
    }
    let question = options.prompt.join(" ");
    if !question.is_empty() || !std::io::stdin().is_terminal() {
        let question = match question.is_empty() {
            true => whole_input()?,
            false => question,
        };
        messages.push(json!({"role": "user", "content": question}));
        return match turn(&gateway, &model, &messages).await? {
            Said::Whole(_) => Ok(()),
            Said::Refused(why) => Err(anyhow::anyhow!(why).into()),
            Said::Cut => Err(anyhow::anyhow!("cut off").into()),
        };
    }
    say(&format!(
        "Talking to {model}. /new forgets all, /quit or Ctrl-D ends."
    ));
    talk(&gateway, &model, messages, runtime).await
}

/// Questions and answers until there are no more questions.
async fn talk(
    gateway: &Gateway,
    model: &str,
    mut messages: Vec<Value>,
    runtime: &Runtime,
) -> Result<(), Ending> {
    let told = messages.len();
    loop {
        let line = tokio::select! {
            line = line::read(runtime) => line.context("nothing can be read")?,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.context("no signals")?;
                None
            }
        };
        let Some(line) = line else {
            say("");
            return Ok(());
        };
        match line.trim() {
            "" => continue,
            "/quit" => return Ok(()),
            "/new" => messages.truncate(told),
            question => {
                messages.push(json!({"role": "user", "content": question}));
                match turn(gateway, model, &messages).await? {
                    Said::Whole(text) => {
                        messages.push(json!({"role": "assistant", "content": text}));
                    }
                    Said::Cut => {
                        messages.pop();
                    }
                    Said::Refused(why) => {
                        complain(&why);
                        messages.pop();
                    }
                }
            }
        }
    }
}

/// One question's answer, shown as it comes; Ctrl-C ends it.
async fn turn(gateway: &Gateway, model: &str, messages: &[Value]) -> Result<Said, Ending> {
    let answer = gateway.ask(model, messages, line::show);
    let said = tokio::select! {
        said = answer => said?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.context("no signals")?;
            Said::Cut
        }
    };
    say("");
    Ok(said)
}

fn gateway(flags: &Flags, url: Option<String>, key: Option<Secret>) -> Result<Gateway, Ending> {
    let described = || config::load(flags).map_err(|why| Ending::Mistake(why.to_string()));
    let url = match url {
        Some(url) => url.trim_end_matches('/').trim_end_matches("/v1").to_owned(),
        None => {
            let server = described()?.config.server;
            let scheme = if server.tls.is_some() {
                "https"
            } else {
                "http"
            };
            format!("{scheme}://{}", server.listen)
        }
    };
    let key = match key {
        Some(key) => key,
        None => auth::first_api_key(&described()?.config.server.data_dir)
            .ok_or_else(|| Ending::Mistake("there is no API key: set WEIR_API_KEY".to_owned()))?,
    };
    Gateway::new(&url, "/v1", key).map_err(Ending::Mistake)
}

fn whole_input() -> Result<String, Ending> {
    let mut text = String::new();
    std::io::stdin()
        .take(PROMPT_BYTES_MAX)
        .read_to_string(&mut text)
        .context("standard input cannot be read")?;
    if text.trim().is_empty() {
        return Err(Ending::Mistake("there is no question".to_owned()));
    }
    Ok(text)
}
