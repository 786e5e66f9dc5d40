//! The keys of a fresh installation, so that its first command works.

use super::change::{self, NewKey};
use super::key::Kind;
use super::{Error, Keys, records};
use crate::audit::Origin;
use crate::domain::{ModelRule, Owner, Secret, Terms};
use crate::store;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const FILE: &str = "first-keys.env";
const API_KEY: &str = "WEIR_API_KEY=";

/// What the first start made, to be shown once.
#[derive(Debug)]
pub struct FirstKeys {
    /// For the data plane.
    pub api: Secret,
    /// For the control plane; `None` if the config brings an admin key of its own.
    pub admin: Option<Secret>,
    /// Where they can be read again, until someone deletes it.
    pub file: PathBuf,
}

impl Keys {
    /// Makes the first keys and writes them to a file in `data_dir`, if no key was ever made here.
    ///
    /// Of several processes that start at once, one makes them and the others get `None`.
    pub async fn first_start(
        &self,
        data_dir: &Path,
        configured: Option<&Secret>,
    ) -> Result<Option<FirstKeys>, Error> {
        if self.index.len() > 0 {
            return Ok(None); // every start but the first, which need not wait for the store's lock
        }
        let needs_admin = configured.is_none();
        let data_dir = data_dir.to_path_buf();
        self.change(move |tx| {
            if !records::is_empty(tx)? {
                return Ok(None);
            }
            let mut make = |name: &str, kind| {
                let new = NewKey {
                    name: name.into(),
                    kind,
                    models: ModelRule::All,
                    on_hangup: None,
                    owner: Owner::of_project((kind == Kind::Api).then_some(Owner::DEFAULT_PROJECT)),
                    terms: Terms::default(),
                    expires: None,
                };
                change::add(tx, &Origin::system(), &new).map(|minted| minted.key)
            };
            let api = make("first key", Kind::Api)?;
            let admin = needs_admin
                .then(|| make("first admin key", Kind::Admin))
                .transpose()?;

            // Before the commit, and on the disk: a crash in between leaves a file of keys that open nothing, and the
            // next start, which finds no key, replaces it. The other way round it would leave keys nobody has seen,
            // and no second first start. The lock of this transaction keeps others away from the file. If the commit
            // fails the file stays: by the time that we knew, it might be another process's.
            let file = data_dir.join(FILE);
            write(&data_dir, &file, &text(&api, admin.as_ref())).map_err(|source| {
                Error::FirstKeysFile {
                    path: file.clone(),
                    source,
                }
            })?;
            Ok(Some(FirstKeys { api, admin, file }))
        })
        .await
    }
}

/// The API key that the first start wrote down in `data_dir`, if it is still there.
pub fn first_api_key(data_dir: &Path) -> Option<Secret> {
    let text = Zeroizing::new(fs::read_to_string(data_dir.join(FILE)).ok()?);
    let key = text.lines().find_map(|line| line.strip_prefix(API_KEY))?;
    Some(Secret::new(key))
}

fn text(api: &Secret, admin: Option<&Secret>) -> String {
    let note =
        "# The first keys of this Weir. Keep them where you keep secrets, then delete this file.";
    let mut text = format!("{note}\n{API_KEY}{}\n", api.expose());
    if let Some(admin) = admin {
        text.extend(["WEIR_ADMIN_KEY=", admin.expose(), "\n"]);
    }
    text
}

/// Puts a file in place whole, for its owner only, and does not return before it would survive a power cut.
fn write(dir: &Path, file: &Path, text: &str) -> io::Result<()> {
    store::create_private_dir(dir)?;
    let draft = file.with_extension("env.new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // New, or not at all: whoever else could write to the directory must not have put a readable file or a link here.
    let mut new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    new.write_all(text.as_bytes())?;
    new.sync_all()?;
    fs::rename(&draft, file)?;
    File::open(dir)?.sync_all()
}
