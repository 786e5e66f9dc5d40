//! Whose list of prices holds for an upstream.

use PriceList::{
    Anthropic, Cerebras, Cohere, DeepSeek, Gemini, Groq, Mistral, Moonshot, OpenAi, Simulator, XAi,
    Zai,
};

/// A company that publishes what its models cost, or the simulator, which costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum PriceList {
    Anthropic,
    Cerebras,
    Cohere,
    DeepSeek,
    Gemini,
    Groq,
    Mistral,
    Moonshot,
    OpenAi,
    Simulator,
    XAi,
    Zai,
}

/// Each list, its name, and the hosts that bill by it.
///
/// Hosts of a region are not here where the region has prices of its own.
const LISTS: &[(PriceList, &str, &[&str])] = &[
    (Anthropic, "anthropic", &["api.anthropic.com"]),
    (Cerebras, "cerebras", &["api.cerebras.ai"]),
    (Cohere, "cohere", &["api.cohere.ai", "api.cohere.com"]),
    (DeepSeek, "deepseek", &["api.deepseek.com"]),
    (Gemini, "gemini", &["generativelanguage.googleapis.com"]),
    (Groq, "groq", &["api.groq.com"]),
    (Mistral, "mistral", &["api.mistral.ai"]),
    (Moonshot, "moonshot", &["api.moonshot.ai"]),
    (OpenAi, "openai", &["api.openai.com"]),
    (Simulator, "simulator", &[]),
    (XAi, "xai", &["api.x.ai"]),
    (Zai, "zai", &["api.z.ai"]),
];

impl PriceList {
    /// The names of all lists.
    pub fn names() -> impl Iterator<Item = &'static str> {
        LISTS.iter().map(|(_, name, _)| *name)
    }

    /// The list of this name.
    pub fn named(name: &str) -> Option<Self> {
        let found = LISTS.iter().find(|(_, known, _)| *known == name);
        found.map(|(list, ..)| *list)
    }

    /// The list that a host bills by. None for a host that is not known: its prices are its own.
    pub fn of_host(host: &str) -> Option<Self> {
        let knows = |hosts: &[&str]| hosts.iter().any(|known| known.eq_ignore_ascii_case(host));
        let found = LISTS.iter().find(|(.., hosts)| knows(hosts));
        found.map(|(list, ..)| *list)
    }

    /// Its name in the config and in the table.
    pub fn as_str(self) -> &'static str {
        let found = LISTS.iter().find(|(list, ..)| *list == self);
        found.map_or("", |(_, name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::PriceList;

    #[test]
    fn names_and_hosts_lead_to_lists() {
        for name in PriceList::names() {
            assert_eq!(PriceList::named(name).map(PriceList::as_str), Some(name));
        }
        assert_eq!(
            PriceList::of_host("API.OpenAI.com"),
            Some(PriceList::OpenAi)
        );
        assert_eq!(PriceList::of_host("api.openai.com.example.com"), None);
        assert_eq!(PriceList::of_host("127.0.0.1"), None);
    }
}
