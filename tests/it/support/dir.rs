//! Where a gateway of a test keeps what it has: a directory, and a store of its own in one of the databases.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, OnceLock},
};
use tempfile::TempDir;
use weir::{
    domain::{Place, Postgres, Secret},
    store::{Mode, Row, connect},
};

/// The stores of directories whose store is not a file in them.
static URLS: LazyLock<Mutex<HashMap<PathBuf, String>>> = LazyLock::new(Mutex::default);

/// A directory; it goes when it is dropped, and so does its store.
pub struct Dir {
    temp: TempDir,
    place: Place,
    /// Whether the store goes with it.
    is_own: bool,
}

/// A database to run a test on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

impl Dir {
    /// A new one. Its store is a file in it, or a schema of the test server if `WEIR_TEST_STORE` is `postgres`.
    pub fn new() -> Self {
        tempfile::tempdir().unwrap().into()
    }

    /// A new one with its store in that database; none if there is no server for tests, unless this is CI.
    pub fn on(database: Database) -> Option<Self> {
        Self::with(tempfile::tempdir().unwrap(), database, str::to_owned)
    }

    /// One in Postgres, to which gateways come by a detour; `by` is told the server's `host:port`.
    pub fn by(by: impl FnOnce(&str) -> String) -> Option<Self> {
        Self::with(tempfile::tempdir().unwrap(), Database::Postgres, by)
    }

    /// A further one whose store is that of `other`, and goes with that.
    pub fn beside(other: &Self) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let mut urls = URLS.lock().unwrap();
        let url = urls.get(other.path()).cloned();
        urls.extend(url.map(|url| (temp.path().to_owned(), url)));
        Self {
            temp,
            place: other.place.clone(),
            is_own: false,
        }
    }

    fn with(
        temp: TempDir,
        database: Database,
        detour: impl FnOnce(&str) -> String,
    ) -> Option<Self> {
        if database == Database::Sqlite {
            let place = Place::Sqlite(temp.path().join("data/weir.db"));
            return Some(Self {
                temp,
                place,
                is_own: true,
            });
        }
        let url = server()?;
        let name = temp.path().file_name().unwrap().to_string_lossy();
        let name: String = name
            .bytes()
            .map(
                |byte| match byte.is_ascii_lowercase() || byte.is_ascii_digit() {
                    true => char::from(byte).to_string(),
                    false => format!("_{byte}"),
                },
            )
            .collect();
        let schema = format!("weir_it_{name}");
        let place = Place::Postgres(Postgres {
            url: Secret::new(format!("{url}?sslmode=disable")),
            shown: "the test server".to_owned(),
            schema: schema.clone(),
            tls: false,
            authorities: None,
        });
        let host = url.split('@').nth(1).unwrap().split('/').next().unwrap();
        let url = url.replace(host, &detour(host));
        let url = format!("{url}?schema={schema}");
        URLS.lock().unwrap().insert(temp.path().to_owned(), url);
        Some(Self {
            temp,
            place,
            is_own: true,
        })
    }

    pub fn path(&self) -> &Path {
        self.temp.path()
    }

    /// Its store.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// All rows that a statement finds in its store.
    pub fn query(&self, sql: &str) -> Vec<Row> {
        // Apart, for the driver's runtime cannot be driven from within the test's.
        std::thread::scope(|scope| {
            let ask = || connect(&self.place).unwrap().query(sql, &[]).unwrap();
            scope.spawn(ask).join().unwrap()
        })
    }
}

impl Default for Dir {
    fn default() -> Self {
        Self::new()
    }
}

impl From<TempDir> for Dir {
    fn from(temp: TempDir) -> Self {
        let usual = match std::env::var("WEIR_TEST_STORE").as_deref() {
            Ok("postgres") => Database::Postgres,
            _ => Database::Sqlite,
        };
        let dir = Self::with(temp, usual, str::to_owned);
        dir.expect("WEIR_TEST_STORE asks for a Postgres server")
    }
}

impl fmt::Debug for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dir({})", self.path().display())
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let url = URLS.lock().unwrap().remove(self.path());
        if let (Some(_), true, Place::Postgres(server)) = (url, self.is_own, &self.place) {
            let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", server.schema);
            std::thread::scope(|scope| {
                let clear = || {
                    let mut conn = connect(&self.place)?;
                    conn.transact(Mode::Write, |tx| tx.run(&sql))
                };
                // A gateway that was killed may hold it for a moment; what is left bears the name of a test.
                if let Err(error) = scope.spawn(clear).join().unwrap() {
                    eprintln!("a test's schema stays: {error}");
                }
            });
        }
    }
}

/// The variable that tells a `weir` in `dir` where its store is, if it would not find it.
pub fn store_variable(dir: &Path) -> Option<(&'static str, String)> {
    let url = URLS.lock().unwrap().get(dir).cloned();
    url.map(|url| ("WEIR__STORE__URL", url))
}

/// The server that tests may use, if it can be reached.
pub fn server() -> Option<&'static str> {
    static SERVER: OnceLock<Option<String>> = OnceLock::new();
    let find = || {
        let url = std::env::var("WEIR_TEST_POSTGRES_URL");
        let url = url.unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/test".to_owned());
        let look = || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let config: tokio_postgres::Config = url.parse().unwrap();
            let connect = config.connect(tokio_postgres::NoTls);
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(connect).map(drop)
        };
        match std::thread::scope(|scope| scope.spawn(look).join().unwrap()) {
            Ok(()) => return Some(url),
            Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
                panic!("CI has a Postgres server for tests: {error}")
            }
            Err(error) => eprintln!("SKIPPED: no Postgres server for tests: {error}"),
        }
        None
    };
    SERVER.get_or_init(find).as_deref()
}
