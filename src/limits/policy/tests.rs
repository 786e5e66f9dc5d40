//! Who is asked about a call, and by which rules.

use super::{Policy, Subject};
use crate::config::{LimitSet, Limits, Unpriced, WithoutRedis};
use crate::directory::{Allowance, RateLimit};
use crate::domain::{
    Budget, Caller, Coin, Flow, KeyId, KeyLimits, Kind, Level, ModelRule, Owner, Pace, Rule, Rules,
    Span, Terms,
};
use std::sync::Arc;
use std::time::Duration;

const RPM: Kind = Kind::Rate(Flow::Requests, Pace::Minute);
const TPM: Kind = Kind::Rate(Flow::Tokens, Pace::Minute);
const MONTH: Kind = Kind::Budget(Coin::Dollars, Span::Month);

fn rules(all: &[(Kind, u64)]) -> Rules {
    let mut rules = Rules::default();
    all.iter()
        .for_each(|(kind, amount)| rules.add(Rule::new(*kind, *amount)));
    rules
}

/// Limits, as they are written here.
type Figures<'a> = &'a [(Kind, u64)];

fn policy(sets: &[(Level, &str, Figures<'_>)], tiers: &[(&str, Figures<'_>)]) -> Policy {
    let sets = sets.iter().map(|(on, name, all)| LimitSet {
        on: *on,
        name: (*name).into(),
        rules: rules(all),
    });
    let tiers = tiers.iter().map(|(name, all)| ((*name).into(), rules(all)));
    Policy::new(&Limits {
        slice: 256,
        output_reserve: 4096,
        reasoning_factor: 4,
        unpriced: Unpriced::Refuse,
        pause: Duration::ZERO,
        without_redis: WithoutRedis::Share,
        nodes: 1,
        tiers: tiers.collect(),
        sets: sets.collect(),
    })
}

fn caller(project: Option<&str>, user: Option<&str>, terms: Option<Terms>) -> Caller {
    Caller {
        key: KeyId::parse(b"policykey0000001").unwrap(),
        models: ModelRule::All,
        on_hangup: None,
        owner: Some(Arc::new(Owner {
            project: project.map(Box::from),
            user: user.map(Box::from),
        })),
        terms: terms.map(Arc::new),
    }
}

type Found = Vec<(Level, String, Vec<(Kind, u64)>)>;

fn found(
    policy: &Policy,
    caller: &Caller,
    model: Option<&str>,
    organization: Allowance,
    project: Allowance,
) -> Found {
    let (organization, project) = (Arc::new(organization), Arc::new(project));
    let subject = Subject {
        caller,
        model,
        organization: &organization,
        project: Some(&project),
        user: None,
    };
    let mut found = Vec::new();
    policy.each(&subject, |claim| {
        let rules = claim.rules();
        let rules = rules.iter().map(|rule| (rule.kind, rule.amount));
        found.push((claim.level, claim.name.to_owned(), rules.collect()));
    });
    found
}

fn nothing() -> Allowance {
    Allowance::default()
}

#[test]
fn nobody_is_asked_about_who_has_no_limits() {
    let free = policy(&[], &[("free", &[(RPM, 1)])]);
    let caller = caller(Some("p"), Some("u"), None);
    assert_eq!(found(&free, &caller, Some("m"), nothing(), nothing()), []);
    free.of_address("10.0.0.1".parse().unwrap(), |_| panic!("it has none"));
}

#[test]
fn each_level_has_its_own_in_their_order() {
    let policy = policy(
        &[
            (Level::Key, "*", &[(RPM, 7)]),
            (Level::User, "u*", &[(RPM, 6)]),
            (Level::Model, "gpt-*", &[(RPM, 5)]),
            (Level::Project, "*", &[(RPM, 3), (MONTH, 9_000_000_000)]),
            (Level::Project, "p", &[(RPM, 2)]),
            (Level::Project, "q", &[(RPM, 1)]),
            (Level::Organization, "*", &[(RPM, 9)]),
        ],
        &[],
    );
    let organization = Allowance {
        spend_limit: Some(100),
        ..nothing()
    };
    let mut project = Allowance {
        spend_limit: Some(500),
        ..nothing()
    };
    let rate = |requests, tokens| RateLimit {
        max_requests_per_1_minute: requests,
        max_tokens_per_1_minute: tokens,
        ..RateLimit::default()
    };
    project.rate_limits = [
        ("*".into(), rate(Some(1), None)),
        ("gpt-5*".into(), rate(Some(40), Some(400))),
    ]
    .into();
    let caller = caller(Some("p"), Some("u1"), None);
    let all = found(&policy, &caller, Some("gpt-5-mini"), organization, project);
    let dollar = 1_000_000_000;
    let expected: [(Level, &str, Figures<'_>); 6] = [
        (Level::Organization, "", &[(RPM, 9), (MONTH, dollar)]),
        (Level::Project, "p", &[(RPM, 2), (MONTH, 5 * dollar)]),
        (Level::ProjectModel, "p/gpt-5*", &[(RPM, 40), (TPM, 400)]),
        (Level::Model, "gpt-*", &[(RPM, 5)]),
        (Level::User, "u1", &[(RPM, 6)]),
        (Level::Key, "policykey0000001", &[(RPM, 7)]),
    ];
    let expected = expected.map(|(level, name, rules)| (level, name.to_owned(), rules.to_vec()));
    assert_eq!(all, expected);
}

#[test]
fn a_key_has_the_tightest_of_its_terms_its_tier_and_the_config() {
    let policy = policy(
        &[
            (Level::Key, "key_policykey*", &[(TPM, 50), (RPM, 99)]),
            (Level::Key, "key_other*", &[(RPM, 1)]),
        ],
        &[("gold", &[(RPM, 30), (Kind::InFlight, 2)])],
    );
    let terms = Terms {
        tier: Some("gold".into()),
        limits: KeyLimits {
            requests_per_minute: Some(60),
            tokens_per_minute: Some(10),
            ..KeyLimits::default()
        },
        budget: Some(Budget {
            threshold_amount: 3,
            interval: Span::Hour,
        }),
        ..Terms::default()
    };
    let caller = caller(None, None, Some(terms));
    let all = found(&policy, &caller, None, nothing(), nothing());
    let [(Level::Key, _, rules)] = &*all else {
        panic!("{all:?}")
    };
    let hour = Kind::Budget(Coin::Dollars, Span::Hour);
    let expected = [
        (TPM, 10),
        (RPM, 30),
        (hour, 30_000_000),
        (Kind::InFlight, 2),
    ];
    assert_eq!(rules, &expected);
}

#[test]
fn a_user_has_the_tightest_of_their_tier_and_the_config() {
    let policy = policy(
        &[(Level::User, "u*", &[(RPM, 9), (TPM, 50)])],
        &[("gold", &[(RPM, 3)]), ("boundless", &[])],
    );
    let terms = |tier| Arc::new(Terms::of_tier(tier));
    let of = |user, terms: Option<&Arc<Terms>>| {
        let claim = policy.user(user, terms)?;
        Some((claim.level, claim.rules(), claim.origin()))
    };
    let (gold, stray) = (terms("gold"), terms("lead"));
    let (level, found, origin) = of("u1", Some(&gold)).unwrap();
    assert_eq!((level, found), (Level::User, rules(&[(RPM, 3), (TPM, 50)])));
    assert_ne!(origin, of("u1", None).unwrap().2, "rules are made anew");
    assert_eq!(of("v1", Some(&gold)).unwrap().1, rules(&[(RPM, 3)]));
    for none in [None, Some(&stray), Some(&terms("boundless"))] {
        assert!(of("v1", none).is_none());
    }
}

#[test]
fn a_tier_that_the_config_does_not_know_limits_nothing() {
    let policy = policy(&[], &[]);
    let terms = Terms {
        tier: Some("lead".into()),
        ..Terms::default()
    };
    let caller = caller(None, None, Some(terms));
    for _ in 0..2 {
        assert_eq!(found(&policy, &caller, None, nothing(), nothing()), []);
    }
    assert_eq!(policy.tiers.strays.len(), 1);
}

#[test]
fn of_a_projects_models_the_own_name_counts_and_only_what_is_enforced() {
    let policy = policy(&[], &[]);
    let caller = caller(None, None, None);
    let project = Allowance {
        rate_limits: [
            (
                "dall-e-3".into(),
                RateLimit {
                    max_images_per_1_minute: Some(1),
                    ..RateLimit::default()
                },
            ),
            (
                "gpt-5".into(),
                RateLimit {
                    max_requests_per_1_day: Some(8),
                    ..RateLimit::default()
                },
            ),
            (
                "*".into(),
                RateLimit {
                    max_tokens_per_1_minute: Some(9),
                    ..RateLimit::default()
                },
            ),
        ]
        .into(),
        ..nothing()
    };
    let names = |model| {
        let all = found(&policy, &caller, model, nothing(), project.clone());
        all.into_iter().map(|(_, name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(Some("gpt-5")), ["proj_default/gpt-5"]);
    assert_eq!(names(Some("o3")), ["proj_default/*"]);
    assert_eq!(names(Some("dall-e-3")), [""; 0]);
    assert_eq!(names(None), [""; 0]);
    let long = "x".repeat(500);
    assert_eq!(super::project_and_model("p/a/b"), Some(("p", "a/b")));
    assert_eq!(names(Some(&long)), ["proj_default/*"]);
}

#[test]
fn a_model_is_under_the_name_that_says_most() {
    let policy = policy(
        &[
            (Level::Model, "*", &[(RPM, 1)]),
            (Level::Model, "gpt-*", &[(RPM, 2)]),
            (Level::Model, "gpt-*", &[(TPM, 3)]),
            (Level::Model, "gpt-5", &[(RPM, 4)]),
        ],
        &[],
    );
    let caller = caller(None, None, None);
    let of = |model| found(&policy, &caller, Some(model), nothing(), nothing()).remove(0);
    assert_eq!(of("gpt-5").2, [(RPM, 4)]);
    assert_eq!(of("gpt-5-mini").2, [(RPM, 2), (TPM, 3)]);
    assert_eq!(of("o3"), (Level::Model, "*".to_owned(), vec![(RPM, 1)]));
}

#[test]
fn a_host_has_one_limit_for_all_its_addresses() {
    let policy = policy(&[(Level::Address, "*", &[(RPM, 3)])], &[]);
    let name = |address: &str| {
        let mut name = None;
        policy.of_address(address.parse().unwrap(), |claim| {
            assert_eq!(claim.rules(), rules(&[(RPM, 3)]));
            name = Some(claim.name.to_owned());
        });
        name.unwrap()
    };
    assert_eq!(name("10.0.0.1"), "10.0.0.1");
    assert_eq!(name("::ffff:10.0.0.1"), "10.0.0.1");
    assert_eq!(name("2001:db8::1:2:3:4"), "2001:db8::");
}

#[test]
fn the_same_config_and_the_same_objects_make_the_same_rules() {
    let policy = policy(&[], &[]);
    let caller = caller(None, None, None);
    let allowance = |cents| {
        Arc::new(Allowance {
            spend_limit: Some(cents),
            ..nothing()
        })
    };
    let (one, other) = (allowance(1), allowance(1));
    let none = Arc::new(nothing());
    let origin = |policy: &Policy, organization: &Arc<Allowance>| {
        let mut origin = None;
        let subject = Subject {
            caller: &caller,
            model: None,
            organization,
            project: Some(&none),
            user: None,
        };
        policy.each(&subject, |claim| origin = Some(claim.origin()));
        origin.unwrap()
    };
    assert_eq!(origin(&policy, &one), origin(&policy, &one));
    assert_ne!(origin(&policy, &one), origin(&policy, &other));
    let reloaded = self::policy(&[], &[]);
    assert_ne!(origin(&policy, &one), origin(&reloaded, &one));
}
