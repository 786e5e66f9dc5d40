//! Finds what was written (flags, environment, a file, the shipped file) and lays it over one another.

use super::{
    Config, Limits, Server, Store,
    check::check,
    environment::{self, Environment},
    read::Section,
    report::{Problem, Problems, Report},
    routes,
    tokenizers::Tokenizers,
    tree::{self, Entries, Node, Place, Value},
};
use std::{
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

/// Every key and its default.
pub(super) const SHIPPED: &str = include_str!("../../config.toml");

/// The arrays of tables. Who writes one of the first two means all of them.
const LISTS: [&str; 3] = ["upstream", "model", "forward"];

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--config`: the file to read.
    pub config: Option<PathBuf>,
    /// `--listen`, over `server.listen`.
    pub listen: Option<String>,
    /// `--control-listen`, over `server.control_listen`.
    pub control_listen: Option<String>,
    /// `--data-dir`, over `server.data_dir`.
    pub data_dir: Option<PathBuf>,
}

/// A configuration that was found good.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file that it came from; none if only the shipped one was read.
    pub source: Option<PathBuf>,
    /// Optional upstreams that are not in it, because their credentials are missing.
    pub left_out: Vec<String>,
}

/// Reads flags, environment and file, and checks what they say together.
///
/// It reads files, also those of secrets and certificates, so it may block.
pub fn load(flags: &Flags) -> Result<Loaded, Problems> {
    load_from(flags, &environment::read(), Path::new(""))
}

/// Where the store is, for a command that needs nothing else.
///
/// A mistake elsewhere, such as a credential that this shell does not have, is none of its business.
pub fn load_store(flags: &Flags) -> Result<Store, Problems> {
    let of_the_store = |key: &str| key == "server.data_dir" || section(key) == "store";
    Ok(load_part(flags, of_the_store)?.store)
}

/// The limits and where the gateway is, for a command that needs nothing else.
pub fn load_limits(flags: &Flags) -> Result<(Limits, Server), Problems> {
    let of_limits = |key: &str| ["limits", "limit", "tier", "server"].contains(&section(key));
    let config = load_part(flags, of_limits)?;
    Ok((config.limits, config.server))
}

fn section(key: &str) -> &str {
    key.split('.').next().unwrap_or_default()
}

/// A configuration of which only the keys for which `is_ours` holds are known to be good.
fn load_part(flags: &Flags, is_ours: impl Fn(&str) -> bool) -> Result<Config, Problems> {
    let report = Report::default();
    let (config, _) = read_for_a_command(flags, &environment::read(), &report)?;
    report.finish().or_else(|problems| {
        let (ours, _): (Vec<_>, Vec<_>) =
            (problems.0.into_iter()).partition(|problem| is_ours(&problem.key));
        if ours.is_empty() {
            Ok(())
        } else {
            Err(Problems(ours))
        }
    })?;
    Ok(config)
}

/// The names that clients may ask for, for a command that needs nothing else: also those of models whose upstreams'
/// credentials this shell does not have.
pub fn load_models(flags: &Flags) -> Result<Vec<String>, Problems> {
    let report = Report::default();
    let environment = environment::read();
    let (config, source) = read_for_a_command(flags, &environment, &report)?;
    let written = source.as_deref().map(read).transpose();
    let written = written.map_err(|problem| Problems(vec![problem]))?;
    let tree = lay_over(written, flags, &environment, &report);
    let mut names = routes::names(Section::root(tree, &report).sections("model"));
    names.extend(config.models.iter().map(|model| model.name.to_string()));
    Ok(names)
}

/// As [`read_all`], for a command: it counts nothing, so that it needs no tokenizer.
fn read_for_a_command(
    flags: &Flags,
    environment: &Environment,
    report: &Report,
) -> Result<(Config, Option<PathBuf>), Problems> {
    let unwanted = Tokenizers::Unwanted;
    let (config, source, _) = read_all(flags, environment, Path::new(""), unwanted, report)?;
    Ok((config, source))
}

/// As [`load`], with the environment and the working directory given.
pub(super) fn load_from(
    flags: &Flags,
    environment: &Environment,
    here: &Path,
) -> Result<Loaded, Problems> {
    let report = Report::default();
    let (config, source, left_out) =
        read_all(flags, environment, here, Tokenizers::Wanted, &report)?;
    report.finish()?;
    Ok(Loaded {
        config,
        source,
        left_out,
    })
}

/// Reads what there is; what comes back is only good if `report` holds no problem.
fn read_all(
    flags: &Flags,
    environment: &Environment,
    here: &Path,
    tokenizers: Tokenizers,
    report: &Report,
) -> Result<(Config, Option<PathBuf>, Vec<String>), Problems> {
    let source = find(flags, environment, here);
    let written = source.as_deref().map(read).transpose();
    let written = written.map_err(|problem| Problems(vec![problem]))?;
    let tree = lay_over(written, flags, environment, report);
    let (config, left_out) = check(Section::root(tree, report), environment, tokenizers, report);
    Ok((config, source, left_out))
}

fn find(flags: &Flags, environment: &Environment, here: &Path) -> Option<PathBuf> {
    let named = environment
        .get("WEIR_CONFIG")
        .filter(|path| !path.is_empty());
    let usual = here.join("config.toml");
    let named = flags.config.clone().or_else(|| named.map(PathBuf::from));
    named.or_else(|| usual.try_exists().unwrap_or(true).then_some(usual))
}

fn read(path: &Path) -> Result<Node, Problem> {
    let name: Rc<str> = path.to_string_lossy().into();
    let text = fs::read_to_string(path).map_err(|error| Problem {
        place: name.to_string(),
        key: String::new(),
        message: format!("cannot be read: {error}"),
    })?;
    tree::parse(&text, &name, |line| Place::File(Rc::clone(&name), line))
}

/// The shipped file, and over it the operator's, the environment and the flags.
fn lay_over(
    written: Option<Node>,
    flags: &Flags,
    environment: &Environment,
    report: &Report,
) -> Node {
    let mut tree = tree::parse(SHIPPED, "config.toml", Place::Shipped).expect("a test reads it");
    let file_sets = |key: &str| written.as_ref().is_some_and(|node| node.has(key));
    let is_set = |key: &&str| file_sets(key) || environment::sets(environment, key);
    if LISTS[..2].iter().any(is_set) {
        for key in LISTS {
            tree.remove(key);
        }
    }
    if let Some(written) = written {
        tree.lay_over(written, "", report);
    }
    environment::lay_over(&mut tree, environment, report);
    tree.lay_over(of_flags(flags, report), "", report);
    tree
}

/// The flags, as the document that they would be.
fn of_flags(flags: &Flags, report: &Report) -> Node {
    let [listen, control_listen, place] =
        ["--listen", "--control-listen", "--data-dir"].map(Place::Flag);
    let data_dir = flags.data_dir.as_deref().map(Path::to_str);
    if data_dir == Some(None) {
        report.refuse(&place, "server.data_dir", "is not Unicode");
    }
    let given = [
        (listen, "listen", flags.listen.as_deref()),
        (
            control_listen,
            "control_listen",
            flags.control_listen.as_deref(),
        ),
        (place.clone(), "data_dir", data_dir.flatten()),
    ];
    let entry = |(place, key, text): (Place, &str, Option<&str>)| {
        let value = Value::Raw(text?.to_owned());
        Some((key.to_owned(), Node { place, value }))
    };
    let server = Value::Table(given.into_iter().filter_map(entry).collect());
    let server = Node {
        place: place.clone(),
        value: server,
    };
    let root = Entries::from([("server".to_owned(), server)]);
    Node {
        place,
        value: Value::Table(root),
    }
}
