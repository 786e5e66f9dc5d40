//! How urgently a provider was asked, which changes what it asks for.

/// A tier of service, as price lists tell them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// What one gets without asking.
    #[default]
    Standard,
    /// Collected in a file and answered within a day.
    Batch,
    /// Cheaper, slower, and sometimes refused.
    Flex,
    /// Dearer and faster.
    Priority,
}

impl Tier {
    /// Every tier with its name.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("standard", Self::Standard),
        ("batch", Self::Batch),
        ("flex", Self::Flex),
        ("priority", Self::Priority),
    ];

    /// Its name in the config, in price lists and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
        }
    }

    /// The tier that an answer's `service_tier` names. None if price lists have no such tier.
    pub fn of_answer(service_tier: &str) -> Option<Self> {
        match service_tier {
            "" | "default" | "on_demand" | "auto" => Some(Self::Standard),
            name => Self::NAMES
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, tier)| *tier),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tier;

    #[test]
    fn an_answer_names_its_tier() {
        assert_eq!(Tier::of_answer("default"), Some(Tier::Standard));
        assert_eq!(Tier::of_answer(""), Some(Tier::Standard));
        assert_eq!(Tier::of_answer("priority"), Some(Tier::Priority));
        assert_eq!(Tier::of_answer("scale"), None);
    }
}
