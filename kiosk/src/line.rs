//! The line to the authority. The office's router gives the address, or the site has one of its own; this program may not
//! set it, so it leaves a word at each start, and somebody with the right to does it.

use std::net::Ipv4Addr;

use serde::Deserialize;
use tracing::warn;

use crate::config::NetworkConfig;
use crate::vault::write_whole;

/// An address that the site gives this terminal; `[line]` of its settings. IPv4, as offices have it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineConfig {
    /// With the bits of its network: `10.2.3.4/24`.
    pub address: String,
    /// The way out of that network; none: the authority is inside it.
    pub gateway: Option<Ipv4Addr>,
    /// Servers that know names, at most three; none: the authority is given by its address.
    #[serde(default)]
    pub names: Vec<Ipv4Addr>,
}

impl LineConfig {
    /// Whether a machine can have it. A wrong one would only be found out at a counter that has no line.
    pub fn check(&self) -> Result<(), String> {
        let Self { address: given, gateway, names } = self;
        let (address, bits) =
            parsed(given).ok_or(format!("[line] address {given} is not like 10.2.3.4/24"))?;
        if !NETWORK_BITS.contains(&bits) || !is_host(address, bits) {
            return Err(format!("[line] address {given} is none that a terminal can have"));
        }
        let inside = |gateway: Ipv4Addr| {
            let mask = mask(bits);
            gateway.to_bits() & mask == address.to_bits() & mask && is_host(gateway, bits)
        };
        if let Some(gateway) = gateway.filter(|&gateway| gateway == address || !inside(gateway)) {
            return Err(format!("[line] gateway {gateway} is not another one in {given}"));
        }
        if names.len() > NAMES_MAX {
            return Err(format!("[line] names has more than {NAMES_MAX}"));
        }
        match names.iter().find(|name| !is_unicast(**name)) {
            Some(name) => Err(format!("[line] names has {name}, which no server can have")),
            None => Ok(()),
        }
    }
}

/// Tells whoever may set the line how it is to be: at each start, as the settings may be other ones.
pub fn tell(network: &NetworkConfig, line: Option<&LineConfig>) {
    let word = line.map_or_else(|| "router\n".to_owned(), word);
    if let Err(problem) = write_whole(&network.word, word.as_bytes(), 0o600) {
        warn!(%problem, "the word about the line cannot be left");
    }
}

fn word(LineConfig { address, gateway, names }: &LineConfig) -> String {
    let gateway = gateway.map_or_else(|| "-".to_owned(), |gateway| gateway.to_string());
    let names = names.iter().map(|name| format!(" {name}"));
    format!("{address} {gateway}{}\n", names.collect::<String>())
}

/// As it is written everywhere: no zeros in front, no sign.
fn parsed(text: &str) -> Option<(Ipv4Addr, u32)> {
    let (address, bits) = text.split_once('/')?;
    let parsed = (address.parse().ok()?, bits.parse().ok()?);
    (format!("{}/{}", parsed.0, parsed.1) == text).then_some(parsed)
}

/// Neither the network itself nor everybody in it; the network has one of [`NETWORK_BITS`].
fn is_host(address: Ipv4Addr, bits: u32) -> bool {
    let host = address.to_bits() & !mask(bits);
    is_unicast(address) && host != 0 && host != !mask(bits)
}

/// One machine's, and not this one's own (RFC 6890).
fn is_unicast(address: Ipv4Addr) -> bool {
    (1..=223).contains(&address.octets()[0]) && !address.is_loopback()
}

fn mask(bits: u32) -> u32 {
    u32::MAX << (32 - bits)
}

/// A larger network is a slip of the pen; in a smaller one nobody else is.
const NETWORK_BITS: std::ops::RangeInclusive<u32> = 8..=30;
/// The C library asks no more (resolv.conf(5), MAXNS).
const NAMES_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<LineConfig, String> {
        let line: LineConfig = toml::from_str(text).map_err(|problem| problem.to_string())?;
        line.check().map(|()| line)
    }

    #[test]
    fn the_word_is_the_address_the_way_out_and_the_servers() {
        let folder = tempfile::tempdir().unwrap();
        let network = NetworkConfig { word: folder.path().join("word") };
        for (text, word) in [
            ("address = '10.2.3.4/24'", "10.2.3.4/24 -\n"),
            ("address = '10.2.3.4/24'\ngateway = '10.2.3.1'", "10.2.3.4/24 10.2.3.1\n"),
            (
                "address = '172.16.9.2/30'\ngateway = '172.16.9.1'\nnames = ['10.0.0.1', '10.0.0.2']",
                "172.16.9.2/30 172.16.9.1 10.0.0.1 10.0.0.2\n",
            ),
        ] {
            tell(&network, Some(&line(text).unwrap()));
            assert_eq!(std::fs::read_to_string(&network.word).unwrap(), word);
        }
        tell(&network, None);
        assert_eq!(std::fs::read_to_string(&network.word).unwrap(), "router\n");
    }

    #[test]
    fn an_address_that_no_machine_can_have_is_refused() {
        for address in [
            "10.2.3.4",
            "10.2.3.4/",
            "/24",
            "10.2.3/24",
            "10.2.3.400/24",
            "10.2.3.4/7",
            "10.2.3.4/31",
            "10.2.3.4/33",
            "10.2.3.4/+24",
            "10.2.3.4/024",
            "10.02.3.4/24",
            " 10.2.3.4/24",
            "10.2.3.0/24",
            "10.2.3.255/24",
            "127.0.0.2/24",
            "224.0.0.5/24",
            "0.0.0.5/24",
            "::1/64",
            "$(reboot)/24",
        ] {
            let told = line(&format!("address = '{address}'")).map(drop).unwrap_err();
            assert!(told.contains("[line] address"), "{address}: {told}");
        }
    }

    #[test]
    fn a_way_out_is_another_machine_in_the_same_network() {
        for gateway in ["10.2.4.1", "10.2.3.4", "10.2.3.0", "10.2.3.255"] {
            let text = format!("address = '10.2.3.4/24'\ngateway = '{gateway}'");
            let told = line(&text).map(drop).unwrap_err();
            assert!(told.contains("[line] gateway"), "{gateway}: {told}");
        }
        assert!(line("address = '10.2.3.4/24'\ngateway = 'router'").is_err());
    }

    #[test]
    fn at_most_three_servers_are_asked_for_names_and_each_can_be_one() {
        let names = |names: &str| line(&format!("address = '10.2.3.4/24'\nnames = [{names}]"));
        assert!(names("'1.1.1.1', '2.2.2.2', '223.5.5.5'").is_ok());
        for wrong in ["'1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4'", "'127.0.0.53'", "'239.1.1.1'"] {
            assert!(names(wrong).unwrap_err().contains("[line] names"), "{wrong}");
        }
    }
}
