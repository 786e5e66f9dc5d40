//! Where requests go: by the name of a model, or by the path of the URL.

use super::{
    Forward, Model, Target, Upstream,
    read::{At, Section},
    tokenizers::Tokenizers,
    upstreams::{UNSET, Upstreams, timeouts},
    values::count,
};
use crate::tokenizer::Tokenizer;
use std::{cmp::Reverse, collections::BTreeSet, sync::Arc};

const NAME_BYTES_MAX: usize = 256; // OpenAI's fine-tuned models need 100

/// Reads `[[model]]`. A model without a target that can be used is left out.
pub(super) fn models(
    written: Vec<Section<'_>>,
    upstreams: &Upstreams,
    tokenizers: Tokenizers,
) -> Vec<Model> {
    let mut models = Vec::new();
    let mut names = BTreeSet::new();
    for mut written in written {
        let name = written.need("name", pattern);
        if !name.is_empty() && !names.insert(name.clone()) {
            written.refuse("name", "is the name of another model too");
        }
        let tokenizer = written.may("tokenizer", |at| tokenizers.read(&at));
        let reader = Reader {
            upstreams,
            tokenizers,
            tokenizer: tokenizer.flatten(),
        };
        let to = written.need("to", |at| reader.targets(at));
        if !to.is_empty() {
            models.push(Model {
                name: name.into(),
                to,
            });
        }
    }
    if let Some(simulator) = &upstreams.implied_simulator {
        let every = [
            simulator.name.clone(),
            format!("{}/*", simulator.name).into(),
        ];
        let model = |name| Model {
            name,
            to: vec![plain(Arc::clone(simulator), None)],
        };
        models.extend(
            every
                .into_iter()
                .filter(|name| !names.contains(&**name))
                .map(model),
        );
    }
    models
}

/// The names in `[[model]]`, wherever those lead.
pub(super) fn names(written: Vec<Section<'_>>) -> Vec<String> {
    let name = |mut written: Section<'_>| written.must("name", pattern);
    written.into_iter().filter_map(name).collect()
}

/// Reads `[[forward]]`, and puts the longest path first.
pub(super) fn forwards(written: Vec<Section<'_>>, upstreams: &Upstreams) -> Vec<Forward> {
    let mut forwards: Vec<Forward> = Vec::new();
    for mut written in written {
        let path = written.need("path", forward_path);
        if !path.is_empty() && forwards.iter().any(|other| other.path == path) {
            written.refuse("path", "is the path of another forward too");
        }
        // A path whose upstream is left out is closed: a shorter one would send its requests elsewhere.
        let to = written.must("to", |at| match at.text()?.is_empty() {
            true => None,
            false => upstreams.find(&at),
        });
        forwards.push(Forward { path, to });
    }
    forwards.sort_by_key(|forward| Reverse(forward.path.len()));
    forwards
}

/// A name that clients use; one `*` in it stands for any text.
pub(super) fn pattern(at: At<'_>) -> Option<String> {
    let name = model_name(&at)?;
    match name.matches('*').count() {
        0 | 1 => Some(name),
        _ => at.refuse("has more than one `*`"),
    }
}

fn model_name(at: &At<'_>) -> Option<String> {
    let name = at.text()?;
    let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain && (1..=NAME_BYTES_MAX).contains(&name.len()) {
        return Some(name);
    }
    at.refuse(format!(
        "expected 1 to {NAME_BYTES_MAX} visible ASCII characters without spaces"
    ))
}

/// Reads the targets of one model.
struct Reader<'a> {
    upstreams: &'a Upstreams,
    tokenizers: Tokenizers,
    /// What those are counted by that name nothing else.
    tokenizer: Option<Arc<Tokenizer>>,
}

impl Reader<'_> {
    /// The targets that can be used; there may be none left, but at least one has to be written.
    fn targets(&self, at: At<'_>) -> Option<Vec<Target>> {
        let items = at.items()?;
        if items.is_empty() {
            return at.refuse("is empty; name an upstream");
        }
        Some(items.into_iter().filter_map(|at| self.target(at)).collect())
    }

    /// An upstream's name, or a table that says more.
    fn target(&self, at: At<'_>) -> Option<Target> {
        if !at.is_table() {
            let upstream = self.upstreams.find(&at)?;
            return Some(plain(upstream, self.tokenizer.clone()));
        }
        let mut written = at.section()?;
        let upstream = written.must("upstream", |at| self.upstreams.find(&at));
        let base = upstream
            .as_ref()
            .map_or(UNSET, |upstream| upstream.timeouts);
        let model = written.may("model", |at| match model_name(&at)? {
            name if name.contains('*') => at.refuse("cannot hold a `*`: it is sent as it is"),
            name => Some(name),
        });
        let tokenizer = written.may("tokenizer", |at| self.tokenizers.read(&at));
        let weight = written.may("weight", count(0..=1000)).unwrap_or(0);
        let timeouts = timeouts(written.section("timeouts"), base);
        Some(Target {
            upstream: upstream?,
            model: model.map(Into::into),
            tokenizer: tokenizer.unwrap_or_else(|| self.tokenizer.clone()),
            weight,
            timeouts,
        })
    }
}

fn plain(upstream: Arc<Upstream>, tokenizer: Option<Arc<Tokenizer>>) -> Target {
    let timeouts = upstream.timeouts;
    Target {
        upstream,
        model: None,
        tokenizer,
        weight: 0,
        timeouts,
    }
}

/// A path below `/v1`, without a slash at its end.
fn forward_path(at: At<'_>) -> Option<String> {
    let path = at.text()?;
    let is_plain = path
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
    let is_dotted = path
        .split('/')
        .any(|segment| segment == "." || segment == "..");
    if !path.starts_with("/v1/") || !is_plain || is_dotted || path.contains("//") {
        return at.refuse("expected a path such as /v1/files, without `*`, `.`, `..` and `//`");
    }
    Some(path.trim_end_matches('/').to_owned())
}
