//! Stores for tests: a new one each, gone with it.

use super::Connection;
use crate::domain::{Place, Postgres, Secret};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// A place for a store, and a directory for what a test keeps beside it.
pub(crate) struct Fixture {
    place: Place,
    dir: TempDir,
}

/// The store of a test whose module is compiled once for each database; where there is none the test is over.
macro_rules! fixture {
    () => {
        match $crate::store::fixture::Fixture::of(module_path!()) {
            Some(fixture) => fixture,
            None => return Default::default(),
        }
    };
}
pub(crate) use fixture;

impl Fixture {
    /// The one for a module, by its name or that of one around it.
    pub(crate) fn of(module: &str) -> Option<Self> {
        match module.contains("on_postgres") {
            true => Self::postgres(),
            false => Self::sqlite(),
        }
    }

    /// One in a file.
    pub(crate) fn sqlite() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::Sqlite(dir.path().join("weir.db"));
        Some(Self { place, dir })
    }

    /// One in a schema of a Postgres server; none if there is no server, unless this is CI.
    pub(crate) fn postgres() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let url = server()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let server = Postgres {
            url: Secret::new(url),
            shown: "the test server".to_owned(),
            schema: format!("test_{}_{number}", std::process::id()),
            tls: false,
            authorities: None,
        };
        let place = Place::Postgres(server);
        drop_schema(&place);
        let dir = tempfile::tempdir().unwrap();
        Some(Self { place, dir })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        drop_schema(&self.place);
    }
}

/// The server that tests may use, if it can be reached.
fn server() -> Option<&'static str> {
    static SERVER: OnceLock<Option<String>> = OnceLock::new();
    let find = || {
        #[expect(clippy::disallowed_methods, reason = "tests are told where it is")]
        let variable = |name| std::env::var(name).ok();
        let url = variable("WEIR_TEST_POSTGRES_URL");
        let url = url.unwrap_or_else(|| "postgres://postgres@127.0.0.1:5432/test".to_owned());
        let url = format!("{url}?sslmode=disable");
        let config: tokio_postgres::Config = url.parse().unwrap();
        let reach = async {
            let connect = config.connect(tokio_postgres::NoTls);
            let connect = tokio::time::timeout(Duration::from_secs(5), connect).await;
            matches!(connect, Ok(Ok(_)))
        };
        if apart(|| runtime().block_on(reach)) {
            return Some(url);
        }
        assert!(
            variable("CI").is_none_or(|ci| ci != "true"),
            "CI has a Postgres server for tests"
        );
        eprintln!(
            "SKIPPED: no Postgres server for tests at $WEIR_TEST_POSTGRES_URL or 127.0.0.1:5432"
        );
        None
    };
    SERVER.get_or_init(find).as_deref()
}

fn drop_schema(place: &Place) {
    if let Place::Postgres(server) = place {
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", server.schema);
        apart(|| {
            let mut conn = Connection::again(place, Duration::from_secs(60)).unwrap();
            conn.transact(super::Mode::Write, |tx| tx.run(&sql))
        })
        .unwrap();
    }
}

/// Runs what drives a runtime of its own, also from within another one.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join().unwrap())
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}
