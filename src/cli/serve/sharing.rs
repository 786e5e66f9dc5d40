//! Has this node share its limits with others, and answers what is asked of the ledger for that.

use crate::{
    app::App,
    config::Config,
    domain::Kind,
    limits::{
        Holder, Period,
        shared::{Error, Fallback, Later, Past, PastError, Shared},
        spent,
    },
};
use std::sync::{Arc, Weak};

/// Begins to share, if the config says where.
pub(super) fn start(app: &Arc<App>) -> Result<(), Error> {
    let config = &app.snapshot.load().config;
    if let Some(server) = &config.store.redis {
        let past = Arc::new(Written(Arc::downgrade(app)));
        let data_dir = &config.server.data_dir;
        let shared = Shared::start(server.clone(), fallback(config), data_dir, past)?;
        app.gate.share(shared);
    }
    Ok(())
}

/// What the config says of the time without Redis.
pub(super) fn fallback(config: &Config) -> Fallback {
    Fallback {
        without: config.limits.without_redis,
        nodes: config.limits.nodes,
    }
}

/// What the gateway has written down.
struct Written(Weak<App>);

impl Past for Written {
    fn settled(&self) -> Later<()> {
        let settled = self.0.upgrade().map(|app| app.ledger.settled());
        Box::pin(async move {
            if let Some(settled) = settled {
                settled.await;
            }
        })
    }

    fn spent(&self, holder: &Holder, kind: Kind, period: Period) -> Later<Result<u64, PastError>> {
        let (level, name) = (holder.level(), holder.name().to_owned());
        let known = self.0.upgrade();
        let known = known.map(|app| (app.reports.clone(), app.snapshot.load_full()));
        Box::pin(async move {
            let Kind::Budget(coin, _) = kind else {
                return Ok(0);
            };
            let (reports, snapshot) = known.ok_or("the gateway ends")?;
            let spent = spent(&reports, &snapshot.policy, (level, &name), period).await?;
            Ok(spent.of(coin))
        })
    }
}
