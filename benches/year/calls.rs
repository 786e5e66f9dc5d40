//! The calls of a year: busy days and quiet nights, few large keys and many small ones, and now and then one that fails.

/// Milliseconds since 1970 at which the year ends: a midnight in UTC.
pub(crate) const END: u64 = 20_600 * DAY;
pub(crate) const DAY: u64 = 24 * HOUR;
pub(crate) const HOUR: u64 = 3_600_000;
pub(crate) const DAYS: u64 = 365;
pub(crate) const KEYS: u64 = 200;
pub(crate) const PROJECTS: u64 = 20;
pub(crate) const USERS: u64 = 60;

/// A model: its name, the one that answers name, where it goes, what is asked of it, and its price in nano-dollars a
/// token of the prompt and of the answer, if there is one.
pub(crate) struct Model {
    pub(crate) name: &'static str,
    pub(crate) served: &'static str,
    pub(crate) upstreams: &'static [&'static str],
    pub(crate) endpoint: &'static str,
    pub(crate) price: Option<(u64, u64)>,
}

const fn model(
    name: &'static str,
    served: &'static str,
    upstreams: &'static [&'static str],
    endpoint: &'static str,
    price: Option<(u64, u64)>,
) -> Model {
    Model {
        name,
        served,
        upstreams,
        endpoint,
        price,
    }
}

pub(crate) const MODELS: [Model; 12] = [
    model(
        "gpt-5",
        "gpt-5-2025-08-07",
        &["openai", "azure"],
        "chat",
        Some((1250, 10_000)),
    ),
    model(
        "gpt-5-mini",
        "gpt-5-mini-2025-08-07",
        &["openai", "azure"],
        "chat",
        Some((250, 2000)),
    ),
    model(
        "gpt-5-nano",
        "gpt-5-nano-2025-08-07",
        &["openai"],
        "chat",
        Some((50, 400)),
    ),
    model(
        "gpt-4.1",
        "gpt-4.1-2025-04-14",
        &["openai"],
        "chat",
        Some((2000, 8000)),
    ),
    model(
        "o3",
        "o3-2025-04-16",
        &["openai"],
        "responses",
        Some((2000, 8000)),
    ),
    model(
        "gpt-4o",
        "gpt-4o-2024-08-06",
        &["openai", "azure"],
        "responses",
        Some((2500, 10_000)),
    ),
    model(
        "llama-3.3-70b",
        "llama-3.3-70b",
        &["own-1", "own-2"],
        "chat",
        None,
    ),
    model(
        "gpt-3.5-turbo-instruct",
        "gpt-3.5-turbo-instruct",
        &["openai"],
        "completions",
        Some((1500, 2000)),
    ),
    model(
        "text-embedding-3-small",
        "text-embedding-3-small",
        &["openai"],
        "embeddings",
        Some((20, 0)),
    ),
    model(
        "text-embedding-3-large",
        "text-embedding-3-large",
        &["openai"],
        "embeddings",
        Some((130, 0)),
    ),
    model(
        "gpt-image-1",
        "gpt-image-1",
        &["openai"],
        "image_generations",
        Some((5000, 40_000)),
    ),
    model(
        "gpt-4o-mini-tts",
        "gpt-4o-mini-tts",
        &["openai"],
        "speech",
        None,
    ),
];

/// One call; numbers name its key and model; the key tells its project and user.
pub(crate) struct Call {
    pub(crate) started: u64,
    pub(crate) unique: u64,
    pub(crate) key: u64,
    pub(crate) model: usize,
    pub(crate) upstream: Option<usize>,
    pub(crate) stream: bool,
    pub(crate) outcome: &'static str,
    pub(crate) status: i64,
    pub(crate) source: Option<&'static str>,
    pub(crate) input: Option<u64>,
    pub(crate) cached: Option<u64>,
    pub(crate) output: Option<u64>,
    pub(crate) reasoning: Option<u64>,
    pub(crate) quantity: Option<u64>,
    pub(crate) cost: Option<u64>,
    pub(crate) duration_us: u64,
}

pub(crate) fn key_id(key: u64) -> String {
    format!("yearkey{key:09}")
}

pub(crate) fn project_id(project: u64) -> String {
    format!("proj_{project:02}")
}

pub(crate) fn user_id(user: u64) -> String {
    format!("user_{user:02}")
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new() -> Self {
        Self(0x5eed)
    }

    /// A number below `of`. (SplitMix64)
    pub(crate) fn roll(&mut self, of: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % of
    }
}

/// How many of `requests` begin in each hour of the year, adding up to all.
pub(crate) fn hours(requests: u64) -> Vec<u64> {
    // Of a day's work: quiet at night, most in the afternoon; weekends at a third.
    const CURVE: [u64; 24] = [
        12, 9, 7, 6, 6, 8, 14, 26, 44, 60, 68, 70, 66, 70, 76, 78, 74, 64, 50, 40, 33, 27, 21, 16,
    ];
    let weight = |hour: u64| {
        let is_weekend = matches!((END / DAY - DAYS + hour / 24 + 4) % 7, 0 | 6);
        CURVE[(hour % 24) as usize] * if is_weekend { 1 } else { 3 }
    };
    let all: u64 = (0..DAYS * 24).map(weight).sum();
    let (mut before, mut given) = (0, 0);
    let share = |hour| {
        before += weight(hour);
        let until = (u128::from(requests) * u128::from(before) / u128::from(all)) as u64;
        let share = until - given;
        given = until;
        share
    };
    (0..DAYS * 24).map(share).collect()
}

/// A call that begins at `started`.
pub(crate) fn call(dice: &mut Dice, started: u64) -> Call {
    // The least of two: small numbers come more often, as in every company.
    let key = dice.roll(KEYS).min(dice.roll(KEYS));
    // A program uses one model mostly, and two others.
    let choice = [0, 0, 0, 0, 0, 1, 1, 2][dice.roll(8) as usize];
    let model = ((key * 7 + choice * 5) % MODELS.len() as u64) as usize;
    let kind = &MODELS[model];
    let (outcome, status) = match dice.roll(1000) {
        0..=959 => ("completed", 200),
        960..=974 => ("client_gone", 200),
        975..=982 => ("completed", 429),
        983..=989 => ("upstream_failed", 502),
        990..=994 => ("timed_out", 504),
        995..=997 => ("rejected", 503),
        _ => ("interrupted", 200),
    };
    let is_answer = status == 200;
    let upstream = (outcome != "rejected").then(|| {
        // The second one is for when the first is away.
        let is_second = dice.roll(20) == 0;
        usize::from(is_second).min(kind.upstreams.len() - 1)
    });
    let has_output = !matches!(kind.endpoint, "embeddings" | "speech");
    let source = match (is_answer, outcome) {
        (false, _) => None,
        (true, "completed") if dice.roll(200) > 0 => Some("provider"),
        (true, _) if has_output => Some("estimated"),
        (true, _) => None,
    };
    let is_said = source == Some("provider") && kind.endpoint != "speech";
    let input = is_said.then(|| 20 + dice.roll(400) * dice.roll(20));
    let cached = input.map(|input| if dice.roll(3) == 0 { input / 2 } else { 0 });
    let output = (source.is_some() && has_output).then(|| 1 + dice.roll(100) * dice.roll(12));
    let reasoning = output.filter(|_| is_said && matches!(kind.name, "gpt-5" | "o3"));
    let reasoning = reasoning.map(|output| output / 3);
    let quantity = match kind.endpoint {
        "image_generations" if is_answer => Some(1 + dice.roll(3)),
        "speech" if is_answer => Some(40 + dice.roll(2000)),
        _ => None,
    };
    let source = source.filter(|_| input.is_some() || output.is_some());
    let cost = kind.price.filter(|_| source.is_some());
    let cost = cost.map(|(i, o)| input.unwrap_or(0) * i + output.unwrap_or(0) * o);
    Call {
        started,
        unique: dice.roll(u64::MAX),
        key,
        model,
        upstream,
        stream: dice.roll(3) > 0 && has_output,
        outcome,
        status,
        source,
        input,
        cached,
        output,
        reasoning,
        quantity,
        cost,
        duration_us: 90_000 + output.unwrap_or(10) * 9_000,
    }
}
