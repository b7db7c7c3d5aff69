//! Endpoints of data connections in commands and replies (RFC 959, RFC 1639, RFC 2428).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::code::Code;
use super::number;
use super::verb::Verb;
use crate::event::Via;

/// An endpoint for a data connection, as a peer announced it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Announced {
    /// The address; none if the form has none (229), which means the sender's own. May be any address, including
    /// 0.0.0.0 and a third host's. An IPv4-mapped address is given as IPv4.
    pub ip: Option<IpAddr>,
    /// The port, never 0.
    pub port: u16,
}

/// Reason why a text holds no endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum EndpointError {
    /// It has not the form.
    #[error("no endpoint in it")]
    Absent,
    /// A number of an address is above 255, or a port is none.
    #[error("a number is out of range")]
    OutOfRange,
    /// The address family is neither IPv4 nor IPv6, or the address's length is not the family's.
    #[error("unknown address family")]
    Family,
    /// The address is none of its family.
    #[error("no address of its family")]
    Address,
}

impl Announced {
    /// The endpoint in a reply that announces one, and how: 227, 228 or 229. None for other replies.
    pub fn in_reply(code: Code, text: &[u8]) -> Option<(Via, Result<Self, EndpointError>)> {
        match code.number() {
            227 => Some((Via::Pasv, in_227(text))),
            228 => Some((Via::Lpsv, in_228(text))),
            229 => Some((Via::Epsv, in_229(text))),
            _ => None,
        }
    }

    /// The endpoint in the argument of a command that announces one, and how: PORT, EPRT or LPRT. None for other
    /// commands.
    pub fn in_command(verb: Verb, arg: &[u8]) -> Option<(Via, Result<Self, EndpointError>)> {
        match verb {
            Verb::Port => Some((Via::Port, in_port(arg))),
            Verb::Lprt => Some((Via::Lprt, in_lprt(arg))),
            Verb::Eprt => Some((Via::Eprt, in_eprt(arg))),
            _ => None,
        }
    }

    /// The endpoints of striped transfers (GridFTP): the lines of the reply to SPAS, the words of SPOR's argument.
    /// Words that are no endpoint are skipped.
    pub fn stripes(text: &[u8]) -> impl Iterator<Item = Self> {
        text.split(u8::is_ascii_whitespace).filter_map(|word| six_numbers(word).and_then(Result::ok))
    }
}

/// 227 (RFC 959). RFC 1123 section 4.1.2.6 has clients look for the digits, since servers leave the parentheses out or
/// put other text there: what stands behind a parenthesis is tried first, then every list of numbers in the text. Over IPv6
/// servers are known that put their address in the place of the first four numbers.
fn in_227(text: &[u8]) -> Result<Announced, EndpointError> {
    let long = |error| after_parentheses(text).find_map(address_and_port).unwrap_or(Err(error));
    first_of(text, six_numbers).or_else(long)
}

/// PORT (RFC 959): `h1,h2,h3,h4,p1,p2`.
fn in_port(arg: &[u8]) -> Result<Announced, EndpointError> {
    six_numbers(arg.trim_ascii_start()).unwrap_or(Err(EndpointError::Absent))
}

/// 228 (RFC 1639): the argument of LPRT, found as 227's is.
fn in_228(text: &[u8]) -> Result<Announced, EndpointError> {
    first_of(text, long_numbers)
}

/// LPRT (RFC 1639): `af,hal,h1,…,pal,p1,…`, all decimal: address family (the IP version), length of the address, the
/// address, length of the port, the port.
fn in_lprt(arg: &[u8]) -> Result<Announced, EndpointError> {
    long_numbers(arg.trim_ascii_start()).unwrap_or(Err(EndpointError::Absent))
}

/// EPRT (RFC 2428): `|af|address|port|`, with any delimiter.
fn in_eprt(arg: &[u8]) -> Result<Announced, EndpointError> {
    match delimited(arg.trim_ascii_start()) {
        Some(Ok(Announced { ip: None, .. })) | None => Err(EndpointError::Absent),
        Some(found) => found,
    }
}

/// 229 (RFC 2428): `(|||port|)`, with any delimiter; servers that fill in the address are read as well.
fn in_229(text: &[u8]) -> Result<Announced, EndpointError> {
    let found = after_parentheses(text).filter_map(delimited);
    // Without parentheses: the first byte that can be a delimiter and has an endpoint behind it.
    let bare = text.iter().enumerate().filter(|(_, byte)| byte.is_ascii_punctuation());
    best(found.chain(bare.filter_map(|(at, _)| text.get(at..).and_then(delimited))))
}

/// The first endpoint that `read` finds, behind a parenthesis rather than elsewhere.
fn first_of<'a>(
    text: &'a [u8],
    read: impl Fn(&'a [u8]) -> Option<Result<Announced, EndpointError>>,
) -> Result<Announced, EndpointError> {
    best(
        after_parentheses(text)
            .map(<[u8]>::trim_ascii_start)
            .chain(number::list_heads(text))
            .filter_map(read),
    )
}

/// The first endpoint; without one the first error; without that, that there is none.
fn best(found: impl Iterator<Item = Result<Announced, EndpointError>>) -> Result<Announced, EndpointError> {
    let mut error = None;
    for result in found {
        match result {
            Ok(announced) => return Ok(announced),
            Err(why) => error = error.or(Some(why)),
        }
    }
    Err(error.unwrap_or(EndpointError::Absent))
}

fn after_parentheses(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memchr_iter(b'(', text).filter_map(|at| text.get(at + 1..))
}

/// Six numbers at the head of `text`; none if there are fewer.
fn six_numbers(text: &[u8]) -> Option<Result<Announced, EndpointError>> {
    let mut numbers = [0_u8; 6];
    let Some((count, _)) = number::comma_list(text, &mut numbers) else {
        return Some(Err(EndpointError::OutOfRange));
    };
    let [a, b, c, d, high, low] = numbers;
    (count == numbers.len()).then(|| announced(Ipv4Addr::new(a, b, c, d).into(), [high, low]))
}

/// An IPv6 address and the two numbers of a port, up to a closing parenthesis; none if they are not there.
fn address_and_port(text: &[u8]) -> Option<Result<Announced, EndpointError>> {
    let (address, rest) = field(text, b',')?;
    let address = parse::<Ipv6Addr>(address)?;
    let mut port = [0_u8; 2];
    let (count, rest) = number::comma_list(rest, &mut port)?;
    (count == port.len() && rest.first() == Some(&b')')).then(|| announced(address.into(), port))
}

/// RFC 1639's numbers at the head of `text`; none if it is no list of numbers.
fn long_numbers(text: &[u8]) -> Option<Result<Announced, EndpointError>> {
    let mut numbers = [0_u8; 2 + 16 + 1 + 2];
    let Some((count, _)) = number::comma_list(text, &mut numbers) else {
        return Some(Err(EndpointError::OutOfRange));
    };
    let numbers = numbers.get(..count)?;
    Some(match numbers {
        [4, 4, a, b, c, d, 2, high, low] => announced(Ipv4Addr::new(*a, *b, *c, *d).into(), [*high, *low]),
        [6, 16, rest @ ..] => match rest.split_first_chunk::<16>() {
            Some((address, &[2, high, low])) => announced(Ipv6Addr::from(*address).into(), [high, low]),
            _ => Err(EndpointError::Absent),
        },
        [4 | 6, ..] if count < 9 => return None,
        [_, _, _, _, ..] => Err(EndpointError::Family),
        _ => return None,
    })
}

/// RFC 2428's three fields at the head of `text`, whose first byte is the delimiter; none if they are not there.
fn delimited(text: &[u8]) -> Option<Result<Announced, EndpointError>> {
    let (&delimiter, rest) = text.split_first()?;
    if !matches!(delimiter, 33..=126) {
        return None;
    }
    let (family, rest) = field(rest, delimiter)?;
    let (address, rest) = field(rest, delimiter)?;
    // Some leave out the last delimiter: the port then ends with its digits.
    let port = match field(rest, delimiter) {
        Some((port, _)) => port,
        None => rest.split(|byte| !byte.is_ascii_digit()).next().unwrap_or_default(),
    };
    if !family.iter().all(u8::is_ascii_digit) || port.is_empty() {
        return None;
    }
    let port = match number::leading(port) {
        Some((port, [])) => match u16::try_from(port) {
            Ok(port) if port > 0 => port,
            _ => return Some(Err(EndpointError::OutOfRange)),
        },
        _ => return Some(Err(EndpointError::OutOfRange)),
    };
    if address.is_empty() {
        return Some(Ok(Announced { ip: None, port }));
    }
    // The zone of a link-local address means something to its host only.
    let address = address.split(|&byte| byte == b'%').next().unwrap_or_default();
    let parsed = match family {
        b"1" => parse::<Ipv4Addr>(address).map(IpAddr::V4),
        b"2" => parse::<Ipv6Addr>(address).map(IpAddr::V6),
        b"" => parse::<IpAddr>(address),
        _ => return Some(Err(EndpointError::Family)),
    };
    Some(match parsed {
        Some(ip) => Ok(Announced { ip: Some(ip.to_canonical()), port }),
        None => Err(EndpointError::Address),
    })
}

/// The text before the next delimiter, and the text behind it.
fn field(text: &[u8], delimiter: u8) -> Option<(&[u8], &[u8])> {
    /// An IPv6 address with a zone is no longer: a delimiter further away belongs to something else.
    const FIELD_MAX: usize = 128;
    let at = text.iter().take(FIELD_MAX).position(|&byte| byte == delimiter)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

fn parse<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    core::str::from_utf8(text).ok()?.trim().parse().ok()
}

fn announced(ip: IpAddr, port: [u8; 2]) -> Result<Announced, EndpointError> {
    match u16::from_be_bytes(port) {
        0 => Err(EndpointError::OutOfRange),
        port => Ok(Announced { ip: Some(ip.to_canonical()), port }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Announced, Code, EndpointError, Verb};

    fn in_reply(code: u16, text: &str) -> Result<(Option<String>, u16), EndpointError> {
        let (_, found) = Announced::in_reply(Code::new(code).unwrap(), text.as_bytes()).unwrap();
        found.map(|found| (found.ip.map(|ip| ip.to_string()), found.port))
    }

    fn in_command(verb: Verb, arg: &str) -> Result<(Option<String>, u16), EndpointError> {
        let (_, found) = Announced::in_command(verb, arg.as_bytes()).unwrap();
        found.map(|found| (found.ip.map(|ip| ip.to_string()), found.port))
    }

    fn at(ip: &str, port: u16) -> Result<(Option<String>, u16), EndpointError> {
        Ok((Some(ip.to_owned()), port))
    }

    #[test]
    fn pasv_replies_as_servers_write_them() {
        for text in [
            "Entering Passive Mode (192,168,1,109,104,134).",
            "Entering Passive Mode 192,168,1,109,104,134",
            "Entering Passive Mode. 192, 168, 1, 109, 104, 134",
            "=192,168,1,109,104,134",
            "Server 7 of 9 (pool 3): Passive (192,168,1,109,104,134)",
            "Passive 2 192,168,1,109,104,134",
            "(192 ,168,1,109,104,134",
        ] {
            assert_eq!(in_reply(227, text), at("192.168.1.109", 26758), "{text}");
        }
        assert_eq!(in_reply(227, "(0,0,0,0,4,1)"), at("0.0.0.0", 1025));
        assert_eq!(in_reply(227, "Entering passive mode (fd77::2,141,17)."), at("fd77::2", 36_113));
        assert_eq!(in_reply(227, "Entering passive mode (2001:db8::10,141,17)."), at("2001:db8::10", 36_113));
        assert_eq!(in_reply(227, "(fd77::2,141,1"), Err(EndpointError::Absent));
        assert_eq!(in_reply(227, "(fd77::2,141)"), Err(EndpointError::Absent));
        assert_eq!(in_reply(227, "no numbers"), Err(EndpointError::Absent));
        assert_eq!(in_reply(227, "(1,2,3,4,5)"), Err(EndpointError::Absent));
        assert_eq!(in_reply(227, "(1,2,3,400,5,6)"), Err(EndpointError::OutOfRange));
        assert_eq!(in_reply(227, "(1,2,3,4,0,0)"), Err(EndpointError::OutOfRange));
        assert_eq!(in_reply(227, "(300,1,2,3,4,5,6)"), Err(EndpointError::OutOfRange));
        assert_eq!(in_reply(227, &"9".repeat(100_000)), Err(EndpointError::OutOfRange));
    }

    #[test]
    fn port_arguments() {
        assert_eq!(in_command(Verb::Port, "10,0,0,1,7,208"), at("10.0.0.1", 2000));
        assert_eq!(in_command(Verb::Port, " 10,0,0,1,7,208 "), at("10.0.0.1", 2000));
        assert_eq!(in_command(Verb::Port, "1234"), Err(EndpointError::OutOfRange));
        assert_eq!(in_command(Verb::Port, "114,115"), Err(EndpointError::Absent));
        assert_eq!(in_command(Verb::Port, "x 10,0,0,1,7,208"), Err(EndpointError::Absent));
    }

    #[test]
    fn epsv_replies_with_any_delimiter() {
        assert_eq!(in_reply(229, "Entering Extended Passive Mode (|||6446|)"), Ok((None, 6446)));
        assert_eq!(in_reply(229, "Entering (passive) Mode (!!!6446!)"), Ok((None, 6446)));
        assert_eq!(in_reply(229, "ok (|||6446)"), Ok((None, 6446)));
        assert_eq!(in_reply(229, "ok |||6446|"), Ok((None, 6446)));
        assert_eq!(in_reply(229, "ok (|1|10.0.0.1|6446|)"), at("10.0.0.1", 6446));
        assert_eq!(in_reply(229, "ok (|2|2001:db8::1|6446|)"), at("2001:db8::1", 6446));
        assert_eq!(in_reply(229, "ok (|||66446|)"), Err(EndpointError::OutOfRange));
        assert_eq!(in_reply(229, "ok (|||0|)"), Err(EndpointError::OutOfRange));
        assert_eq!(in_reply(229, "ok"), Err(EndpointError::Absent));
    }

    #[test]
    fn eprt_arguments() {
        assert_eq!(in_command(Verb::Eprt, "|1|192.168.0.2|257|"), at("192.168.0.2", 257));
        assert_eq!(in_command(Verb::Eprt, "~2~fe80::12%eth0~1234~"), at("fe80::12", 1234));
        assert_eq!(in_command(Verb::Eprt, "|2|::ffff:10.0.0.1|1234|"), at("10.0.0.1", 1234));
        assert_eq!(in_command(Verb::Eprt, "|1|192.168.0.313|257|"), Err(EndpointError::Address));
        assert_eq!(in_command(Verb::Eprt, "|2|fe80::gg|1234|"), Err(EndpointError::Address));
        assert_eq!(in_command(Verb::Eprt, "|1|192.168.0.2|-1|"), Err(EndpointError::OutOfRange));
        assert_eq!(in_command(Verb::Eprt, "|1|192.168.0.2|131072|"), Err(EndpointError::OutOfRange));
        assert_eq!(in_command(Verb::Eprt, "|3|192.168.0.2|21|"), Err(EndpointError::Family));
        assert_eq!(in_command(Verb::Eprt, "|||21|"), Err(EndpointError::Absent));
        assert_eq!(in_command(Verb::Eprt, "|2|20"), Err(EndpointError::Absent));
    }

    #[test]
    fn long_addresses() {
        assert_eq!(in_command(Verb::Lprt, "4,4,132,235,1,2,2,24,131"), at("132.235.1.2", 6275));
        let v6 = "6,16,32,1,13,184,0,0,0,0,0,0,0,0,0,0,0,1,2,4,210";
        assert_eq!(in_command(Verb::Lprt, v6), at("2001:db8::1", 1234));
        assert_eq!(in_reply(228, &format!("Entering Long Passive Mode ({v6})")), at("2001:db8::1", 1234));
        assert_eq!(in_reply(228, &format!("Entering Long Passive Mode {v6}")), at("2001:db8::1", 1234));
        assert_eq!(in_command(Verb::Lprt, "16,10,1,2,3,4,5,6,7,8,9,10,2,1,1"), Err(EndpointError::Family));
        assert_eq!(in_command(Verb::Lprt, "4,4,1,2"), Err(EndpointError::Absent));
    }

    #[test]
    fn stripes_of_gridftp() {
        let reply = b"Entering Striped Passive Mode\n 10,0,0,1,4,1\n 10,0,0,2,4,2\nEnd 1";
        assert_eq!(Announced::stripes(reply).map(|one| one.port).collect::<Vec<_>>(), [1025, 1026]);
        assert_eq!(Announced::stripes(b"10,0,0,1,4,1 10,0,0,2,4,2").count(), 2);
    }
}
