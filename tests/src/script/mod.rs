//! A scripted FTP talker: it says anything, right or wrong, and hands over the capture of it.
//!
//! A [script](language) is text, one statement a line. `#` begins a comment line. The clock starts at
//! 2026-01-01T00:00:00Z and moves on by 1 ms before each frame. The same script always makes the same bytes.
//!
//! ```
//! let script = "
//! host client 192.0.2.10
//! host server 192.0.2.21
//! open c client:40000 server:21
//! S: 220 ready
//! C: NOOP
//! [lost] S: 200 fine
//! close c >
//! ";
//! let capture = ftpmon_tests::script::capture(script).unwrap();
//! assert_eq!(capture[..4], 0xa1b2_c3d4u32.to_le_bytes());
//! ```
//!
//! # Setting
//! | statement | |
//! |---|---|
//! | `capture pcap\|pcapng [be] [ns]` | the container; little endian and microseconds unless told otherwise |
//! | `link ethernet\|raw\|sll\|sll2\|null\|loop` | the link layer |
//! | `snap N` | frames are cut after N bytes |
//! | `interface NAME` | from here on frames are captured by this interface (pcapng) |
//! | `also NAME\|off` | from here on every frame is captured by this interface too, which is nearer to the listener (pcapng) |
//! | `host NAME ADDRESS` | a name for an IPv4 or IPv6 address |
//! | `step TIME`, `wait TIME` | time between frames; the clock moves on (`200ns`, `50us`, `3ms`, `2s`) |
//! | `wrap …` | what stands around IP from here on, outermost first: `vlan ID`, `svlan ID`, `pppoe ID`, `mpls LABEL`, `gre`, `vxlan ID`, `ipip`; nothing after it takes all away |
//! | `extensions [hop] [dest] [route] [fragment]` | IPv6 extension headers (`fragment`: an atomic one, RFC 6946) |
//! | `ip-options on\|off` | IPv4 headers with options |
//! | `fragment N` | IP fragments of N bytes; 0 ends it |
//! | `pad on\|off` | Ethernet frames are padded to 60 bytes |
//! | `segment N` | payload of a segment at most (1,460) |
//! | `see both\|>\|<` | only frames of one direction are captured |
//!
//! # Connections
//! `>` is the direction from the end that opened a connection, `<` the other one.
//!
//! | statement | |
//! |---|---|
//! | `open NAME FROM TO [isn N M]` | a handshake; `HOST:PORT` at each end; becomes the control connection if it is the first, or after `use` |
//! | `place NAME FROM TO [isn N M]` | no frame at all: what follows starts in mid-stream, at these sequence numbers |
//! | `syn NAME`, `syn-ack NAME`, `ack NAME >\|< [BEYOND]` | single steps on a placed connection |
//! | `use NAME` | `C:` and `S:` mean this connection |
//! | `C: TEXT`, `S: TEXT` | a line and CRLF, forth and back on the control connection |
//! | `C! TEXT`, `S! TEXT` | the same without CRLF |
//! | `send NAME >\|< text TEXT\|bytes N` | payload: a text, or N bytes of a pattern |
//! | `data NAME FROM TO >\|< text TEXT\|bytes N` | a whole connection: handshake, payload, close by the sender |
//! | `again NAME >\|< [TEXT]` | the last text of that direction once more, or another one in its place |
//! | `skip NAME >\|< N` | N bytes are said that no frame carries |
//! | `keep-alive NAME >\|<` | a probe |
//! | `fin NAME >\|<`, `rst NAME >\|< [AHEAD]`, `close NAME >\|<` | FIN; RST, AHEAD bytes beyond the next one; an orderly end begun by one side |
//! | `hello NAME > [SERVER-NAME] [alpn PROTOCOL …]` | a ClientHello, which offers `ftp` unless told otherwise |
//! | `hello NAME < 1.0\|1.1\|1.2\|1.3 [CIPHER]` | a ServerHello, with a cipher suite in hexadecimal |
//! | `record NAME >\|< N` | a TLS record of application data |
//!
//! # Repetition
//! `repeat N` … `end`: the statements between come N times. In them `{n}` counts from 0, `{n+40000}` from 40000. Blocks do not nest.
//!
//! # Marks before a statement
//! `[lost]`, `[lost N]`: the capture misses its frames, or its N-th. `[twice]`: it holds each twice. `[late N]`: they
//! come after the next N frames. `[reversed]`: in reverse order. `[urgent]`: with URG. `[cut N …]`: the payload is
//! cut into segments at these places. `[blind N]`: they acknowledge N sequence numbers less than the other end said.
//!
//! # Escapes in TEXT
//! `\r \n \t \0 \\ \xHH`; everything else stands for itself in UTF-8. White space at the end of a line counts only
//! as `\x20`.

pub mod benign;
pub mod bulk;
pub mod capture;
pub mod dialogue;
pub mod language;
pub mod mangle;
pub mod manner;
pub mod mixed;
mod repeat;
pub mod scene;
mod text;
pub mod tls;
pub mod wire;
mod wrap;

pub use language::{capture, frames};
pub use text::pattern;
pub use wrap::{Link, Wrap};
