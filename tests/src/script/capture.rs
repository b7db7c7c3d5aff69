//! Capture files: pcap and pcapng, both byte orders, both time units.

/// One frame as a capture holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Nanoseconds since 1970.
    pub at_ns: u64,
    /// The captured bytes.
    pub bytes: Vec<u8>,
    /// The frame's length on the wire.
    pub wire_len: usize,
    /// Index of its interface (pcapng).
    pub interface: usize,
}

/// The container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Container {
    /// pcap, version 2.4.
    #[default]
    Pcap,
    /// pcapng, version 1.0.
    PcapNg,
}

/// The file format of frames.
#[derive(Clone, Debug, Default)]
pub struct Style {
    /// The container.
    pub container: Container,
    /// Numbers in big-endian order.
    pub big_endian: bool,
    /// Times in nanoseconds rather than microseconds.
    pub nanoseconds: bool,
    /// LINKTYPE value.
    pub link: u16,
    /// Snap length for the header; 0 for 262,144. Frames are already cut when they come here.
    pub snap_len: u32,
    /// Names of the interfaces (pcapng); one without a name where empty.
    pub interfaces: Vec<String>,
}

struct Writer {
    out: Vec<u8>,
    big_endian: bool,
}

impl Writer {
    fn u16(&mut self, value: u16) {
        self.out.extend(if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn u32(&mut self, value: u32) {
        self.out.extend(if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
        self.out.extend(std::iter::repeat_n(0, bytes.len().next_multiple_of(4) - bytes.len()));
    }

    /// A pcapng block: `body` between its type and its two lengths.
    fn block(&mut self, kind: u32, body: &Self) {
        let length = body.out.len() as u32 + 12;
        self.u32(kind);
        self.u32(length);
        self.out.extend_from_slice(&body.out);
        self.u32(length);
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        self.u16(code);
        self.u16(value.len() as u16);
        self.padded(value);
    }
}

impl Style {
    /// The bytes of a capture file with these frames.
    pub fn write(&self, frames: &[Frame]) -> Vec<u8> {
        match self.container {
            Container::Pcap => self.pcap(frames),
            Container::PcapNg => self.pcapng(frames),
        }
    }

    fn snap_len(&self) -> u32 {
        if self.snap_len == 0 { 262_144 } else { self.snap_len }
    }

    fn writer(&self) -> Writer {
        Writer { out: Vec::new(), big_endian: self.big_endian }
    }

    fn pcap(&self, frames: &[Frame]) -> Vec<u8> {
        let mut w = self.writer();
        w.u32(if self.nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 });
        w.u16(2);
        w.u16(4);
        w.u32(0);
        w.u32(0);
        w.u32(self.snap_len());
        w.u32(u32::from(self.link));
        for frame in frames {
            let fraction = frame.at_ns % 1_000_000_000;
            w.u32((frame.at_ns / 1_000_000_000) as u32);
            w.u32((if self.nanoseconds { fraction } else { fraction / 1_000 }) as u32);
            w.u32(frame.bytes.len() as u32);
            w.u32(frame.wire_len as u32);
            w.out.extend_from_slice(&frame.bytes);
        }
        w.out
    }

    fn pcapng(&self, frames: &[Frame]) -> Vec<u8> {
        let mut w = self.writer();
        let mut section = self.writer();
        section.u32(0x1a2b_3c4d);
        section.u16(1);
        section.u16(0);
        section.out.extend([0xff; 8]);
        w.block(0x0a0d_0d0a, &section);
        let nameless = [String::new()];
        let names = if self.interfaces.is_empty() { &nameless[..] } else { &self.interfaces[..] };
        for name in names {
            let mut interface = self.writer();
            interface.u16(self.link);
            interface.u16(0);
            interface.u32(self.snap_len());
            if !name.is_empty() {
                interface.option(2, name.as_bytes());
            }
            if self.nanoseconds {
                interface.option(9, &[9]);
            }
            interface.option(0, &[]);
            w.block(1, &interface);
        }
        for frame in frames {
            let time = if self.nanoseconds { frame.at_ns } else { frame.at_ns / 1_000 };
            let mut packet = self.writer();
            packet.u32(frame.interface as u32);
            packet.u32((time >> 32) as u32);
            packet.u32(time as u32);
            packet.u32(frame.bytes.len() as u32);
            packet.u32(frame.wire_len as u32);
            packet.padded(&frame.bytes);
            w.block(6, &packet);
        }
        w.out
    }
}
