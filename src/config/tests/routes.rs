//! Upstreams, and what leads to them.

use super::{Given, UPSTREAM, model, written};
use std::{fs, num::NonZeroU32, time::Duration};

#[test]
fn who_writes_an_upstream_means_all_of_them() {
    let config = Given::file(UPSTREAM)
        .variable("OPENAI_API_KEY", "sk-1")
        .config();
    let names: Vec<_> = config
        .upstreams
        .iter()
        .map(|upstream| &*upstream.name)
        .collect();
    assert_eq!(names, ["local", "simulator"]);
    assert_eq!(config.upstreams[0].base_url, "http://127.0.0.1:9/v1");
    assert_eq!(config.models.len(), 2);
}

#[test]
fn a_simulator_is_there_unless_somebody_says_otherwise() {
    let names = |text: &str| -> Vec<String> {
        written(text)
            .models
            .into_iter()
            .map(|model| model.name.to_string())
            .collect()
    };
    assert!(names(&format!("[simulator]\nenabled = false\n{UPSTREAM}")).is_empty());
    let own = "[[upstream]]\nname = 'mine'\nprovider = 'simulator'\nwords_per_second = 9\n";
    assert!(names(own).is_empty());
    assert_eq!(written(own).upstreams[0].words_per_second, 9);
    let clash = UPSTREAM.replace("local", "simulator");
    assert!(names(&clash).is_empty());
    let model = format!("{UPSTREAM}[[model]]\nname = 'simulator'\nto = ['local', 'simulator']");
    assert_eq!(names(&model), ["simulator", "simulator/*"]);
    assert_eq!(written(&model).models[0].to.len(), 2);
}

#[test]
fn what_is_left_out_takes_its_targets_along() {
    let given = Given::file(&format!(
        "{UPSTREAM}
[[upstream]]
name = 'paid'
provider = 'openai'
base_url = 'https://example.com'
api_key = '$PAID_KEY'
optional = true
[[model]]
name = 'both'
to = ['paid', {{ upstream = 'local', model = 'l', weight = 2, timeouts = {{ idle = '3s' }} }}]
[[model]]
name = 'paid'
to = ['paid']
[[forward]]
path = '/v1/'
to = 'local'
[[forward]]
path = '/v1/files/'
to = 'paid'
"
    ));
    let given = given.variable("PAID_KEY", "");
    let loaded = given.load().unwrap();
    assert_eq!(loaded.left_out, ["paid"]);
    let config = loaded.config;
    let [target] = &model(&config, "both").to[..] else {
        panic!("one target is left")
    };
    assert_eq!((target.model.as_deref(), target.weight), (Some("l"), 2));
    assert_eq!(target.timeouts.idle, Duration::from_secs(3));
    assert_eq!(target.timeouts.total, target.upstream.timeouts.total);
    assert!(config.models.iter().all(|model| *model.name != *"paid"));
    let forwards: Vec<_> = config
        .forwards
        .iter()
        .map(|f| (&*f.path, f.to.is_some()))
        .collect();
    assert_eq!(forwards, [("/v1/files", false), ("/v1", true)]);
    assert_eq!(
        given.variable("PAID_KEY", "sk-2").config().models[0]
            .to
            .len(),
        2
    );
}

#[test]
fn secrets_come_from_variables_and_files_and_are_never_shown() {
    let given = Given::nothing();
    fs::write(given.path("key"), "sk-hidden\n").unwrap();
    let text = format!(
        "{UPSTREAM}api_key = 'file:{}'\n",
        given.path("key").display()
    );
    fs::write(given.path("config.toml"), text).unwrap();
    let config = given.config();
    assert_eq!(
        config.upstreams[0].api_key.as_ref().unwrap().expose(),
        "sk-hidden"
    );
    assert!(!format!("{config:?}").contains("hidden"));

    let refused = |secret: &str| {
        let given = Given::file(&format!("{UPSTREAM}api_key = '{secret}'\n"))
            .variable("BROKEN", "sk-hidden\u{7f}");
        given.problems().remove(0)
    };
    let place = "config.toml:6: upstream.local.api_key: ";
    let how = "a secret is written as \"$NAME\" or \"file:/path\", so that it is not in this file";
    assert_eq!(refused("sk-hidden"), format!("{place}{how}"));
    assert_eq!(refused("$sk-hidden"), format!("{place}{how}"));
    assert_eq!(
        refused("$GONE"),
        format!("{place}the variable GONE is not set")
    );
    assert_eq!(
        refused("file:/nonexistent"),
        format!("{place}/nonexistent does not exist")
    );
    assert!(refused("$BROKEN").contains("visible ASCII") && !refused("$BROKEN").contains("hidden"));
}

#[test]
fn headers_that_are_not_for_the_configuration_are_refused() {
    let headers = "headers = { Authorization = 'x', 'b d' = 'x', x-a = \"\\n\", x-ok = 'hidden' }";
    let given = Given::file(&format!("{UPSTREAM}{headers}"));
    let problems = given.problems();
    assert_eq!(problems.len(), 3, "{problems:?}");
    let config = written(&format!("{UPSTREAM}headers = {{ x-ok = 'hidden' }}"));
    assert_eq!(config.upstreams[0].headers[0].1, "hidden");
    assert!(!format!("{config:?}").contains("hidden"));
}

#[test]
fn a_base_url_is_only_a_place_to_append_paths_to() {
    for (url, right) in [
        ("http://localhost:9", true),
        ("https://example.com/deep/v1//", true),
        ("http://[::1]:9", true),
        ("https://user:hidden@example.com", false),
        ("https://example.com/?a=b", false),
        ("https://example.com/#a", false),
        ("https://example.com:99999", false),
        ("https://", false),
        ("https://a b", false),
        ("example.com", false),
    ] {
        let given = Given::file(&UPSTREAM.replace("http://127.0.0.1:9/v1/", url));
        assert_eq!(given.load().is_ok(), right, "{url}");
        assert!(right || !given.problems()[0].contains("hidden"));
    }
}

#[test]
fn an_upstream_may_have_a_bound_and_projects_a_weight() {
    let queue = "[queue]\nmax = 5\nwait = '2s'\nweights = { proj_a = 3, proj-b = 1 }";
    let given = Given::file(&format!("{UPSTREAM}concurrency = 7\n{queue}"));
    let given = given.variable("WEIR__QUEUE__WEIGHTS__PROJ_C", "9");
    let config = given.config();
    let bound = |name: &str| {
        let mut upstreams = config.upstreams.iter();
        let upstream = upstreams.find(|upstream| *upstream.name == *name);
        upstream.unwrap().concurrency.map(NonZeroU32::get)
    };
    assert_eq!((bound("local"), bound("simulator")), (Some(7), None));
    let queue = config.queue;
    assert_eq!((queue.max, queue.wait), (5, Duration::from_secs(2)));
    let weights = ["proj_a", "proj-b", "proj_c", "proj_d"].map(|project| queue.weight(project));
    assert_eq!(weights, [3, 1, 9, 1]);

    let config = Given::file(&format!("{UPSTREAM}concurrency = 0")).config();
    assert_eq!(config.upstreams[0].concurrency, None);
    let wrong = format!("{UPSTREAM}concurrency = -1\n[queue]\nweights = {{ proj_a = 0, '' = 1 }}");
    assert_eq!(
        Given::file(&wrong).problems(),
        [
            "config.toml:6: upstream.local.concurrency: must be from 0 to 1000000",
            "config.toml:8: queue.weights.: is not the id of a project",
            "config.toml:8: queue.weights.proj_a: must be from 1 to 1000",
        ]
    );
}

#[test]
fn keys_of_another_provider_are_refused() {
    let simulator = "[[upstream]]\nname='s'\nprovider='simulator'\nbase_url='http://x'\n";
    let problem = "config.toml:4: upstream.s.base_url: means nothing to this provider";
    assert_eq!(Given::file(simulator).problems(), [problem]);
    let openai = format!("{UPSTREAM}words_per_second = 4");
    let problem = "config.toml:6: upstream.local.words_per_second: means nothing to this provider";
    assert_eq!(Given::file(&openai).problems(), [problem]);
}
