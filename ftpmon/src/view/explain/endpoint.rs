//! Announced endpoints, worked out.

use std::collections::HashMap;
use std::net::IpAddr;

use ftpmon_event::addr::Endpoint;
use ftpmon_event::{DataAnnouncement, Mode, Nat, SessionIdentity, Via};

use super::words::{Party, Say, say};
use crate::view::Language;

/// Ports that services listen at, below it (RFC 2577 section 3).
const LOW_PORT: u16 = 1024;

/// The sentences about an announcement. `strangers` are the hosts that connected to endpoints of the server which the client did not.
pub(super) fn sentences(
    data: &DataAnnouncement,
    session: Option<&SessionIdentity>,
    strangers: &HashMap<Endpoint, IpAddr>,
    language: Language,
) -> Vec<String> {
    let said = data.advertised_ip.unwrap_or(data.ip);
    let (said_text, ip_text) = (said.to_string(), data.ip.to_string());
    let how = match data.via {
        Via::Pasv | Via::Port | Via::Spas | Via::Spor => Say::SixNumbers(&said_text, data.port),
        Via::Epsv => Say::PortAlone(data.port),
        Via::Eprt => Say::Extended(family(said), &said_text, data.port),
        Via::Lpsv | Via::Lprt => Say::Long(&said_text, data.port),
        Via::Inferred => Say::Inferred,
    };
    let mut sentences = vec![say(language, how)];
    let is_third = data.nat == Nat::Mismatch
        && session.is_some_and(|session| ![session.client.ip, session.server.ip].contains(&said));
    let sender = Party::client(data.mode == Some(Mode::Active));
    let relation = match data.nat {
        Nat::None => None,
        _ if said.is_loopback() => Some(Say::Loopback(&said_text, &ip_text)),
        Nat::Private if !is_private(said) => Some(Say::Local(&said_text, &ip_text)),
        Nat::Private if session.is_some_and(|session| is_private(sender.of(session))) => {
            Some(Say::OtherPrivate(&said_text, &ip_text))
        }
        Nat::Mismatch if is_third => Some(Say::OtherHost(sender, &said_text)),
        Nat::Mismatch
            if sender == Party::Client && session.is_some_and(|session| said == session.server.ip) =>
        {
            Some(Say::ServersOwn(&said_text))
        }
        nat => Some(Say::Nat(nat, &said_text, &ip_text)),
    };
    sentences.extend(relation.map(|what| say(language, what)));
    let end = Endpoint::new(data.ip, data.port);
    let (text, stranger) = (end.to_string(), strangers.get(&end).map(IpAddr::to_string));
    let is_elsewhere = is_third && data.ip == said && sender == Party::Client;
    sentences.push(say(
        language,
        match (data.mode, &stranger) {
            (Some(Mode::Active), _) if is_elsewhere => Say::ListensElsewhere(&text),
            (Some(Mode::Passive), Some(host)) => Say::ListensFor(&text, host),
            (mode, _) => Say::Listens(mode, &text),
        },
    ));
    if data.mode == Some(Mode::Active) && data.port < LOW_PORT {
        sentences.push(say(language, Say::LowPort(data.port)));
    }
    sentences
}

/// A private address (RFC 1918, RFC 4193).
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

/// The number of an address family (RFC 2428 section 2).
const fn family(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 1,
        IpAddr::V6(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    fn announced(via: Via, said: Option<&str>, ip: &str, nat: Nat) -> DataAnnouncement {
        let advertised_ip = said.map(|said| said.parse().unwrap());
        DataAnnouncement { mode: via.mode(), via, ip: ip.parse().unwrap(), port: 26_758, advertised_ip, nat }
    }

    fn alone(data: &DataAnnouncement, language: Language) -> Vec<String> {
        sentences(data, None, &HashMap::new(), language)
    }

    #[test]
    fn the_textbooks_port_is_worked_out_in_each_language() {
        let data = announced(Via::Pasv, Some("192.168.1.109"), "192.168.1.109", Nat::None);
        for language in Language::ALL {
            let [numbers, listens] = &alone(&data, language)[..] else { panic!() };
            assert!(numbers.contains("104·256+134 = 26758"), "{numbers}");
            assert!(
                numbers.contains("192.168.1.109") && listens.contains("192.168.1.109:26758"),
                "{listens}"
            );
        }
        assert_eq!(data.mode, Some(Mode::Passive));
    }

    #[test]
    fn an_address_behind_nat_stands_beside_the_one_that_is_meant() {
        let data = announced(Via::Port, Some("10.0.0.5"), "198.51.100.5", Nat::Private);
        let text = alone(&data, Language::En).join(" ");
        assert!(text.contains("10.0.0.5 is a private address behind NAT"), "{text}");
        assert!(text.contains("the client listens at 198.51.100.5:26758"), "{text}");
    }

    #[test]
    fn extended_forms_have_their_address_family() {
        let data = announced(Via::Eprt, Some("2001:db8::1"), "2001:db8::1", Nat::None);
        assert!(alone(&data, Language::En)[0].contains("Address family 2 is IPv6"));
        let data = announced(Via::Epsv, None, "2001:db8::1", Nat::None);
        assert!(alone(&data, Language::En)[1].contains("[2001:db8::1]:26758"));
    }

    /// RFC 2577 names the third host and the low port; a loopback address is no private one (RFC 1122 section 3.2.1.3).
    #[test]
    fn addresses_of_others_are_told_apart() {
        // Client 192.168.1.106, server 192.168.1.109.
        let session = sample::identity("000000000000000a");
        let of = |said: &str, ip: &str, port, nat| {
            let data = DataAnnouncement { port, ..announced(Via::Port, Some(said), ip, nat) };
            sentences(&data, Some(&session), &HashMap::new(), Language::En).join(" ")
        };
        let text = of("127.0.0.1", "192.168.1.106", 5_000, Nat::Private);
        assert!(text.contains("127.0.0.1 is a loopback address") && !text.contains("NAT"), "{text}");
        let text = of("192.168.1.50", "192.168.1.106", 5_000, Nat::Private);
        assert!(text.contains("192.168.1.50 is a private address") && !text.contains("behind NAT"), "{text}");
        let text = of("169.254.1.1", "192.168.1.106", 5_000, Nat::Private);
        assert!(text.contains("169.254.1.1 is a link-local") && !text.contains("private"), "{text}");
        let text = of("203.0.113.5", "203.0.113.5", 5_000, Nat::Mismatch);
        assert!(
            text.contains("third host") && text.contains("FXP") && !text.contains("the client listens"),
            "{text}"
        );
        let text = of("192.168.1.109", "192.168.1.109", 5_000, Nat::Mismatch);
        assert!(text.contains("the server's own address") && !text.contains("third host"), "{text}");
        let [low, high] = [1_023, 1_024].map(|port| of("192.168.1.106", "192.168.1.106", port, Nat::None));
        assert!(low.contains("Port 1023 is below 1024") && !high.contains("below 1024"), "{low} {high}");
    }

    #[test]
    fn a_stranger_at_the_servers_endpoint_is_not_the_client() {
        let session = sample::identity("000000000000000a");
        let data = announced(Via::Pasv, Some("192.168.1.109"), "192.168.1.109", Nat::None);
        let stranger = "203.0.113.5".parse().unwrap();
        let strangers = HashMap::from([(Endpoint::new(data.ip, data.port), stranger)]);
        let text = sentences(&data, Some(&session), &strangers, Language::En).join(" ");
        assert!(text.contains("Not the client connected to it but 203.0.113.5"), "{text}");
    }
}
