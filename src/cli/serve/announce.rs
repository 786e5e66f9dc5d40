//! What a gateway prints once it can be used.

use super::door::Door;
use crate::{
    app::App,
    auth::FirstKeys,
    cli::{Ending, say, was_said},
    config::Provider,
};

/// Says what a newcomer needs: where it listens, the first keys, the models, and a line to try.
pub(super) fn announce(
    app: &App,
    data: &Door,
    control: &Door,
    first: Option<&FirstKeys>,
) -> Result<(), Ending> {
    let data = data.url()?;
    let snapshot = app.snapshot.load();
    let models: Vec<&str> = snapshot
        .config
        .models
        .iter()
        .map(|model| &*model.name)
        .collect();
    say(&format!("weir {}", env!("CARGO_PKG_VERSION")));
    say(&format!("  data plane     {data}/v1"));
    say(&format!("  control plane  {}", control.url()?));
    say(&format!("  models         {}", models.join(" ")));
    if let Some(keys) = first {
        say(&format!("  API key        {}", keys.api.expose()));
        if let Some(admin) = &keys.admin {
            say(&format!("  admin key      {}", admin.expose()));
        }
        say(&format!(
            "  The keys are shown this once. They are also in {}",
            keys.file.display()
        ));
    }
    // A name that can be sent as it stands, and that needs no account if there is one.
    let named = || {
        let models = snapshot.config.models.iter();
        models.filter(|model| !model.name.contains('*'))
    };
    let simulated = named().find(|model| model.to[0].upstream.provider == Provider::Simulator);
    let model = simulated.or_else(|| named().next());
    let model = model.map_or("MODEL", |model| &*model.name);
    // In double quotes, so that the shell fills in the variable where there is no key to show.
    let key = first.map_or("$WEIR_API_KEY", |keys| keys.api.expose());
    say(&format!(
        "\n  curl -N {data}/v1/chat/completions -H \"Authorization: Bearer {key}\" -H \"Content-Type: application/json\" \
         -d '{{\"model\":\"{model}\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n"
    ));
    if let Err(error) = was_said() {
        tracing::warn!(%error, "the greeting found no reader");
    }
    Ok(())
}
