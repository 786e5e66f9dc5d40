//! The directory, in both databases.

mod accounts;
mod alerts;
mod keys;
mod limits;
mod projects;

use super::{Cursor, Directory, NewProject};
use crate::{
    audit::{self, Origin},
    auth::{Keys, Rejected},
    domain::{KeyId, Secret},
    store::{Db, connect, fixture::Fixture},
};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

/// A store that several processes may have open.
struct Place(Fixture);

impl Place {
    async fn open(&self) -> Directory {
        let db = Db::open(self.0.place()).unwrap();
        let keys = Keys::open(db.clone()).await.unwrap();
        Directory::open(db, keys).await.unwrap()
    }

    fn log_agrees(&self) {
        let mut conn = std::thread::scope(|scope| {
            scope
                .spawn(|| connect(self.0.place()).unwrap())
                .join()
                .unwrap()
        });
        let differences = std::thread::scope(|scope| {
            scope
                .spawn(|| audit::examine(&mut conn).unwrap().1)
                .join()
                .unwrap()
        });
        assert_eq!(differences, [""; 0]);
    }
}

fn by() -> Origin {
    Origin::system()
}

fn named(name: &str) -> NewProject {
    NewProject {
        name: name.to_owned(),
        ..NewProject::default()
    }
}

fn cursor(limit: usize) -> Cursor {
    Cursor {
        limit,
        ..Cursor::default()
    }
}

fn opens(directory: &Directory, key: &Secret) -> Result<KeyId, Rejected> {
    let value = HeaderValue::from_str(&format!("Bearer {}", key.expose())).unwrap();
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    directory
        .keys
        .authenticate(&headers)
        .map(|caller| caller.key)
}
