//! Keys as they are used, in both databases.

mod access;
mod change;
mod first;
mod follow;
mod live;

use super::{Error, Keys, Kind, Minted, NewKey, Rejected, add};
use crate::{
    audit::Origin,
    domain::{Caller, ModelRule, Owner, Secret, Terms},
    store::{Db, fixture::Fixture},
};
use http::{HeaderMap, HeaderValue};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// A store that other `Keys`, with connections of their own, can open as well.
struct Place(Fixture);

impl Place {
    async fn keys(&self) -> Keys {
        Keys::open(Db::open(self.0.place()).unwrap()).await.unwrap()
    }
}

/// A change of its own for a key.
trait Create {
    async fn create(&self, by: Origin, new: NewKey) -> Result<Minted, Error>;

    /// A key of which nothing is asked but that it is one.
    async fn mint(&self) -> Minted;
}

impl Create for Keys {
    async fn create(&self, by: Origin, new: NewKey) -> Result<Minted, Error> {
        self.change(move |tx| add(tx, &by, &new)).await
    }

    async fn mint(&self) -> Minted {
        self.create(Origin::system(), new_key(Kind::Api))
            .await
            .unwrap()
    }
}

fn new_key(kind: Kind) -> NewKey {
    NewKey {
        name: "a key".into(),
        kind,
        models: ModelRule::All,
        on_hangup: None,
        owner: Owner::default(),
        terms: Terms::default(),
        expires: None,
    }
}

fn bearer(credential: &str) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("Bearer {credential}")).unwrap();
    HeaderMap::from_iter([(http::header::AUTHORIZATION, value)])
}

fn check(keys: &Keys, key: &Secret) -> Result<Caller, Rejected> {
    keys.authenticate(&bearer(key.expose()))
}

fn models<const N: usize>(names: [&str; N]) -> ModelRule {
    ModelRule::Only(names.map(Box::from).into())
}
