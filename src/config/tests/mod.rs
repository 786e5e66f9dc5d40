//! The configuration from outside: what is written goes in, a [`Config`](super::Config) or problems come out.

mod limits;
mod prices;
mod problems;
mod redis;
mod routes;
mod tokenizers;

use super::{
    Config, Flags, Level, Loaded, LogFormat, Problems, Provider,
    environment::Environment,
    file::{SHIPPED, load_from},
    read::Section,
    report::Report,
    tokenizers::Tokenizers,
    tree::{self, Place},
};
use proptest::prelude::proptest;
use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

const UPSTREAM: &str = "
[[upstream]]
name = 'local'
provider = 'openai'
base_url = 'http://127.0.0.1:9/v1/'
";

/// A working directory, an environment and a command line.
struct Given {
    dir: tempfile::TempDir,
    environment: Environment,
    flags: Flags,
}

impl Given {
    fn nothing() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            dir,
            environment: Environment::new(),
            flags: Flags::default(),
        }
    }

    fn file(text: &str) -> Self {
        let given = Self::nothing();
        fs::write(given.path("config.toml"), text).unwrap();
        given
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn load(&self) -> Result<Loaded, Problems> {
        load_from(&self.flags, &self.environment, self.dir.path())
    }

    fn config(&self) -> Config {
        self.load()
            .map_err(|problems| problems.to_string())
            .unwrap()
            .config
    }

    /// One line a problem, without the directory.
    fn problems(&self) -> Vec<String> {
        let dir = format!("{}/", self.dir.path().display());
        let problems = self.load().unwrap_err();
        problems
            .to_string()
            .replace(&dir, "")
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

/// What a file says with an empty environment.
pub(super) fn written(text: &str) -> Config {
    Given::file(text).config()
}

fn model<'a>(config: &'a Config, name: &str) -> &'a super::Model {
    config
        .models
        .iter()
        .find(|model| *model.name == *name)
        .unwrap()
}

#[test]
fn nothing_at_all_is_a_configuration() {
    let loaded = Given::nothing().load().unwrap();
    let config = loaded.config;
    assert_eq!(loaded.source, None);
    assert_eq!(loaded.left_out, ["openai"]);
    assert_eq!(config.server.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.server.body_max_bytes, 32 << 20);
    assert_eq!(config.server.heartbeat, Duration::from_secs(15));
    assert!(config.server.workers >= 1);
    assert_eq!(
        config.store.at,
        crate::domain::Place::Sqlite("data/weir.db".into())
    );
    assert_eq!(
        (config.log.level, config.log.format),
        (Level::Info, LogFormat::Text)
    );
    let names: Vec<_> = config.models.iter().map(|model| &*model.name).collect();
    assert_eq!(names, ["simulator", "simulator/*"]);
    assert_eq!(config.upstreams[0].provider, Provider::Simulator);
}

#[test]
fn the_shipped_file_is_the_default() {
    assert_eq!(written(SHIPPED), Given::nothing().config());
}

#[test]
fn an_account_brings_its_models() {
    let loaded = Given::nothing()
        .variable("OPENAI_API_KEY", "sk-1")
        .load()
        .unwrap();
    assert!(loaded.left_out.is_empty());
    let target = &model(&loaded.config, "gpt-*").to[0];
    assert_eq!(target.upstream.api_key.as_ref().unwrap().expose(), "sk-1");
    assert_eq!(target.upstream.base_url, "https://api.openai.com/v1");
    assert_eq!(target.timeouts, target.upstream.timeouts);
}

/// `config.toml` with its commented-out keys. Prose has one space after its `#`.
fn uncommented() -> String {
    let line = |line: &'static str| match line.strip_prefix('#') {
        Some(text) if text.starts_with(' ') && !text.starts_with("  ") => "",
        Some(key) => key,
        None => line,
    };
    SHIPPED.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_example_works_and_shows_the_default() {
    let all = Given::file(&uncommented())
        .variable("OPENAI_API_KEY", "sk-1")
        .variable("WEIR_TOKEN_SECRET", "0123456789abcdef0123456789abcdef")
        .config();
    let shipped = Given::nothing().variable("OPENAI_API_KEY", "sk-1").config();
    assert_eq!(all.upstreams[0].retries, shipped.upstreams[0].retries);
    assert_eq!(
        all.upstreams[0].stream_usage,
        shipped.upstreams[0].stream_usage
    );
    assert_eq!(all.server, shipped.server);
}

#[test]
fn every_key_that_is_read_is_in_the_shipped_file() {
    let environment = Environment::from([("OPENAI_API_KEY".to_owned(), "sk-1".to_owned())]);
    let report = Report::default();
    let node = tree::parse(&uncommented(), "config.toml", Place::Shipped).unwrap();
    super::check::check(
        Section::root(node.clone(), &report),
        &environment,
        Tokenizers::Wanted,
        &report,
    );
    let mut written = BTreeSet::new();
    keys(&node, "", &mut written);
    let unwritten: Vec<_> = report.known().difference(&written).cloned().collect();
    assert!(unwritten.is_empty(), "{unwritten:?}");
}

fn keys(node: &tree::Node, above: &str, found: &mut BTreeSet<String>) {
    match &node.value {
        tree::Value::Table(entries) => {
            for (name, node) in entries {
                let key = tree::join(above, name);
                keys(node, &key, found);
                found.insert(key);
            }
        }
        tree::Value::List(items) => items.iter().for_each(|item| keys(item, above, found)),
        _ => {}
    }
}

#[test]
fn flags_win_over_variables_over_the_file() {
    let mut given = Given::file("[server]\nlisten = '127.0.0.1:1'\nworkers = 2");
    assert_eq!(given.config().server.listen.port(), 1);
    given = given.variable("WEIR__SERVER__LISTEN", "127.0.0.1:2");
    assert_eq!(given.config().server.listen.port(), 2);
    given.flags.listen = Some("127.0.0.1:3".to_owned());
    assert_eq!(given.config().server.listen.port(), 3);
    given.flags.listen = Some("nonsense".to_owned());
    let problem =
        "--listen: server.listen: expected an IP address and a port, such as 127.0.0.1:8080";
    assert_eq!(given.problems(), [problem]);
}

#[test]
fn the_file_is_named_by_flag_then_by_variable() {
    let mut given = Given::file("[server]\nworkers = 1");
    for (name, workers) in [("two.toml", 2), ("three.toml", 3)] {
        fs::write(given.path(name), format!("[server]\nworkers = {workers}")).unwrap();
    }
    assert_eq!(given.config().server.workers, 1);
    let two = given.path("two.toml").display().to_string();
    given = given.variable("WEIR_CONFIG", &two);
    assert_eq!(given.config().server.workers, 2);
    given.flags.config = Some(given.path("three.toml"));
    assert_eq!(given.config().server.workers, 3);
    assert_eq!(given.load().unwrap().source, Some(given.path("three.toml")));
}

#[test]
fn a_variable_holds_what_its_key_holds() {
    let config = Given::file(UPSTREAM)
        .variable("WEIR__SERVER__WORKERS", "3")
        .variable("WEIR__SERVER__HEARTBEAT", "0")
        .variable("WEIR__SERVER__TRUSTED_PROXIES", "['10.0.0.0/8', '::1']")
        .variable("WEIR__LOG__ACCESS", "false")
        .variable("WEIR__LOG__FORMAT", "json")
        .variable("WEIR__TIMEOUTS__IDLE", "7s")
        .variable("WEIR__UPSTREAM__LOCAL__RETRIES", "5")
        .variable("WEIR__UPSTREAM__0__HEADERS__X_ORG", "acme")
        .variable("WEIR__UPSTREAM__LOCAL__TIMEOUTS", "{ total = '9s' }")
        .config();
    assert_eq!(config.server.workers, 3);
    assert_eq!(config.server.heartbeat, Duration::ZERO);
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert!(!config.log.access);
    assert_eq!(config.log.format, LogFormat::Json);
    let local = &config.upstreams[0];
    assert_eq!(
        (local.retries, local.timeouts.idle),
        (5, Duration::from_secs(7))
    );
    assert_eq!(local.timeouts.total, Duration::from_secs(9));
    assert_eq!(local.headers[0].0, "x-org");
}

#[test]
fn variables_reach_items_by_name() {
    let given = Given::nothing()
        .variable("OPENAI_API_KEY", "sk-1")
        .variable("WEIR__UPSTREAM__OPENAI__BASE_URL", "http://127.0.0.1:9")
        .variable("WEIR__MODEL__GPT____TO", "['simulator']");
    let config = given.config();
    assert_eq!(config.upstreams[0].base_url, "http://127.0.0.1:9");
    assert_eq!(&*model(&config, "gpt-*").to[0].upstream.name, "simulator");
}

#[test]
fn the_data_directory_and_the_store_follow_each_other() {
    let place = |file: &str, flag: Option<&str>| {
        let mut given = Given::file(file);
        given.flags.data_dir = flag.map(PathBuf::from);
        let config = given.config();
        let path = |path: PathBuf| path.to_str().unwrap().to_owned();
        (path(config.server.data_dir), config.store.at.to_string())
    };
    let pair = |dir: &str, file: &str| (dir.to_owned(), file.to_owned());
    let dir = "[server]\ndata_dir = '/d'\n";
    let absolute = "[store]\nurl = 'sqlite:/s/w.db'\n";
    let relative = "[store]\nurl = 'sqlite:s/w.db'\n";
    assert_eq!(place("", None), pair("data", "data/weir.db"));
    assert_eq!(place("", Some("/f")), pair("/f", "/f/weir.db"));
    assert_eq!(place(dir, None), pair("/d", "/d/weir.db"));
    assert_eq!(place(dir, Some("/f")), pair("/f", "/f/weir.db"));
    assert_eq!(place(absolute, None), pair("/s", "/s/w.db"));
    assert_eq!(place(absolute, Some("/f")), pair("/f", "/s/w.db"));
    assert_eq!(place(relative, None), pair("s", "s/w.db"));
    assert_eq!(place(relative, Some("/f")), pair("/f", "/f/w.db"));
    assert_eq!(
        place("[store]\nurl = 'sqlite:w.db'", None),
        pair(".", "w.db")
    );
    let both = format!("{dir}{relative}");
    assert_eq!(place(&both, None), pair("/d", "/d/w.db"));
}

#[test]
fn variables_alone_can_say_it_all() {
    let upstream = "[{ name = 'a', provider = 'openai', base_url = 'http://127.0.0.1:9' }]";
    let config = Given::nothing()
        .variable("WEIR__UPSTREAM", upstream)
        .variable("WEIR__UPSTREAM__A__RETRIES", "0")
        .variable("WEIR__MODEL", "[{ name = '*', to = ['a'] }]")
        .config();
    assert_eq!(config.upstreams[0].retries, 0);
    assert_eq!(&*model(&config, "*").to[0].upstream.name, "a");
    assert_eq!(config.models.len(), 3);
}

proptest! {
    #[test]
    fn whatever_is_written_is_answered(text in "([a-z]{1,3} ?= ?[\\[{'\"0-9é#]{0,4}\n|.{0,9}\n|\\[\\[?(upstream|server)\\]\\]?\n){0,8}") {
        let _ = Given::file(&text).load();
    }
}
