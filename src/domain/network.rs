//! A range of addresses.

use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, str::FromStr};

/// All addresses that begin with the same bits, as `10.1.0.0/16` or `2001:db8::/32`; one address is a range too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address, or a range as 10.1.0.0/16 with no bits set behind it")]
pub struct NotANetwork;

impl Network {
    /// Whether `address` is in it. An IPv4 address that is written as IPv6 is what it stands for.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let (width, own) = number(self.address);
        let (other_width, other) = number(address);
        // A shift by all 128 bits is none that a processor has.
        width == other_width
            && (own ^ other)
                .checked_shr(u32::from(width - self.bits))
                .unwrap_or(0)
                == 0
    }
}

/// What one host has for itself: of a version 6 address, the first half.
pub fn host_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) >> 64 << 64;
            IpAddr::V6(bits.into())
        }
        address => address,
    }
}

/// How many bits an address has, and the number that they are.
fn number(address: IpAddr) -> (u8, u128) {
    match address {
        IpAddr::V4(address) => (32, u32::from(address).into()),
        IpAddr::V6(address) => (128, address.into()),
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => (address, Some(bits)),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let (width, own) = number(address);
        let bits = match bits {
            None => width,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= width)
                .ok_or(NotANetwork)?,
        };
        let host = u32::from(width - bits);
        let is_clean = own
            .checked_shr(host)
            .unwrap_or(0)
            .checked_shl(host)
            .unwrap_or(0)
            == own;
        match is_clean {
            true => Ok(Self { address, bits }),
            false => Err(NotANetwork),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl TryFrom<String> for Network {
    type Error = NotANetwork;

    fn try_from(text: String) -> Result<Self, NotANetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network
            .parse::<Network>()
            .unwrap()
            .contains(address.parse().unwrap())
    }

    #[test]
    fn a_range_holds_what_begins_as_it_does() {
        assert!(contains("10.1.0.0/16", "10.1.255.3"));
        assert!(contains("10.1.0.0/16", "::ffff:10.1.2.3"));
        assert!(!contains("10.1.0.0/16", "10.2.0.1"));
        assert!(contains("0.0.0.0/0", "255.1.1.1"));
        assert!(!contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "2001:db8::1"));
        assert!(contains("192.0.2.7", "192.0.2.7"));
        assert!(!contains("192.0.2.7", "192.0.2.8"));
        assert!(contains("2001:db8::/32", "2001:db8:1::9"));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "10.1.0.0/33",
            "10.1.0.1/16",
            "::1/129",
            "x",
            "10.0.0.0/",
            "10.0.0.0/-1",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
    }
}
