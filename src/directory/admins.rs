//! Admin keys, which belong to no project.

use super::keys::{Made, made, page};
use super::{Cursor, Directory, Error, Page};
use crate::audit::Origin;
use crate::auth::{self, Kind, NewKey, Record, Whose};
use crate::domain::{KeyId, ModelRule, Owner, Terms};
use crate::store::Transaction;
use std::time::SystemTime;

impl Directory {
    /// Makes an admin key.
    pub async fn create_admin_key(
        &self,
        by: Origin,
        name: String,
        expires: Option<SystemTime>,
    ) -> Result<Made, Error> {
        let new = NewKey {
            name,
            kind: Kind::Admin,
            models: ModelRule::All,
            on_hangup: None,
            owner: Owner::default(),
            terms: Terms::default(),
            expires,
        };
        self.keys
            .change(move |tx| {
                let minted = auth::add(tx, &by, &new)?;
                made(tx, minted)
            })
            .await
    }

    /// A page of the admin keys.
    pub async fn admin_keys(&self, cursor: Cursor) -> Result<Page<Record>, Error> {
        let is_admins = |record: &Record| record.kind == Kind::Admin;
        self.read(move |tx| page(tx, Whose::Admins, &cursor, is_admins))
            .await
    }

    /// An admin key.
    pub async fn admin_key(&self, id: KeyId) -> Result<Record, Error> {
        self.read(move |tx| find_admin(tx, id)).await
    }

    /// Ends an admin key now and for good.
    pub async fn delete_admin_key(&self, by: Origin, id: KeyId) -> Result<(), Error> {
        self.keys
            .change(move |tx| {
                find_admin(tx, id)?;
                Ok(auth::end(tx, &by, id)?)
            })
            .await
    }
}

fn find_admin(tx: &mut Transaction<'_>, id: KeyId) -> Result<Record, Error> {
    let record = auth::find_live(tx, id)?.filter(|record| record.kind == Kind::Admin);
    record.ok_or_else(|| Error::NoSuchKey(id.public()))
}
