//! Announced endpoints, worked out.

use std::net::IpAddr;

use ftpmon_event::addr::Endpoint;
use ftpmon_event::{DataAnnouncement, Nat, Via};

use super::words::{Say, say};
use crate::view::Language;

/// The sentences about an announcement.
pub(super) fn sentences(data: &DataAnnouncement, language: Language) -> Vec<String> {
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
    if data.nat != Nat::None {
        sentences.push(say(language, Say::Nat(data.nat, &said_text, &ip_text)));
    }
    let end = Endpoint::new(data.ip, data.port).to_string();
    sentences.push(say(language, Say::Listens(data.mode, &end)));
    sentences
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
    use ftpmon_event::Mode;

    fn announced(via: Via, said: Option<&str>, ip: &str, nat: Nat) -> DataAnnouncement {
        let advertised_ip = said.map(|said| said.parse().unwrap());
        DataAnnouncement { mode: via.mode(), via, ip: ip.parse().unwrap(), port: 26_758, advertised_ip, nat }
    }

    #[test]
    fn the_textbooks_port_is_worked_out_in_each_language() {
        let data = announced(Via::Pasv, Some("192.168.1.109"), "192.168.1.109", Nat::None);
        for language in Language::ALL {
            let [numbers, listens] = &sentences(&data, language)[..] else { panic!() };
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
        let text = sentences(&data, Language::En).join(" ");
        assert!(text.contains("10.0.0.5 is a private address behind NAT"), "{text}");
        assert!(text.contains("the client listens at 198.51.100.5:26758"), "{text}");
    }

    #[test]
    fn extended_forms_have_their_address_family() {
        let data = announced(Via::Eprt, Some("2001:db8::1"), "2001:db8::1", Nat::None);
        assert!(sentences(&data, Language::En)[0].contains("Address family 2 is IPv6"));
        let data = announced(Via::Epsv, None, "2001:db8::1", Nat::None);
        assert!(sentences(&data, Language::En)[1].contains("[2001:db8::1]:26758"));
    }
}
