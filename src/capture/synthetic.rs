//! A capture file of a TCP connection that never was: what Wireshark wants to see around bytes that came through TLS, a
//! tunnel, or a cipher.
//!
//! ```text
//! file     Section Header · Interface Description · Enhanced Packet*        (pcapng; times in nanoseconds)
//! packet   IPv4 or IPv6 header · TCP header · at most SEGMENT bytes         (link type RAW: no Ethernet)
//! client   SYN            data …  ACK       FIN ACK            ACK
//! server        SYN ACK                data          FIN ACK
//! ```
//!
//! Sequence and acknowledgement numbers and checksums are those of a real one; nothing is lost, nothing comes twice.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};

use super::direction::Direction;

/// What writing comes to; nothing that is written here can make it fail.
pub type Result<T> = pcap_file::PcapResult<T>;

/// A capture file that is being written. Its bytes are taken with [`PcapWriter::take`].
pub struct PcapWriter {
    writer: PcapNgWriter<Vec<u8>>,
    connections: u16,
}

impl std::fmt::Debug for PcapWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PcapWriter").field("connections", &self.connections).finish_non_exhaustive()
    }
}

/// One connection in it.
#[derive(Debug)]
pub struct Connection {
    client: End,
    server: End,
}

#[derive(Debug)]
struct End {
    address: SocketAddr,
    /// Sequence number of the next byte.
    next: u32,
}

impl PcapWriter {
    /// The beginning of a file by `program`.
    ///
    /// # Errors
    /// Those of the file format: none that `program` could cause.
    pub fn new(program: &str) -> Result<Self> {
        let section = SectionHeaderBlock {
            options: vec![SectionHeaderOption::UserApplication(Cow::Owned(program.to_owned()))],
            ..SectionHeaderBlock::default()
        };
        let mut writer = PcapNgWriter::with_section_header(Vec::new(), section)?;
        let interface = InterfaceDescriptionBlock {
            linktype: DataLink::RAW,
            snaplen: 0,
            options: vec![InterfaceDescriptionOption::IfTsResol(NANOSECONDS)],
        };
        writer.write_pcapng_block(interface)?;
        Ok(Self { writer, connections: 0 })
    }

    /// What is to be appended to the file.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.get_mut())
    }

    /// A connection to `server` is open; its port is shown as that of RTMP. `now` is the time since 1970, `about` a comment.
    ///
    /// # Errors
    /// As [`PcapWriter::new`].
    pub fn open(&mut self, server: IpAddr, now: Duration, about: &str) -> Result<Connection> {
        let port = FIRST_PORT + self.connections % PORTS;
        self.connections = self.connections.wrapping_add(1);
        let client = match server {
            server if server.is_loopback() => server,
            IpAddr::V4(_) => IpAddr::V4(CLIENT_V4),
            IpAddr::V6(_) => IpAddr::V6(CLIENT_V6),
        };
        let end = |address, port| End { address: SocketAddr::new(address, port), next: FIRST_SEQUENCE };
        let mut connection = Connection { client: end(client, port), server: end(server, RTMP_PORT) };
        self.segment(&mut connection, Direction::Client, now, SYN, &[], Some(about))?;
        self.segment(&mut connection, Direction::Server, now, SYN | ACK, &[], None)?;
        self.segment(&mut connection, Direction::Client, now, ACK, &[], None)?;
        Ok(connection)
    }

    /// These bytes went over it.
    ///
    /// # Errors
    /// As [`PcapWriter::new`].
    pub fn data(&mut self, connection: &mut Connection, from: Direction, now: Duration, bytes: &[u8]) -> Result<()> {
        for piece in bytes.chunks(SEGMENT) {
            self.segment(connection, from, now, PSH | ACK, piece, None)?;
        }
        let other = if from == Direction::Client { Direction::Server } else { Direction::Client };
        self.segment(connection, other, now, ACK, &[], None)
    }

    /// It is closed.
    ///
    /// # Errors
    /// As [`PcapWriter::new`].
    pub fn close(&mut self, connection: &mut Connection, now: Duration) -> Result<()> {
        self.segment(connection, Direction::Client, now, FIN | ACK, &[], None)?;
        self.segment(connection, Direction::Server, now, FIN | ACK, &[], None)?;
        self.segment(connection, Direction::Client, now, ACK, &[], None)
    }

    fn segment(
        &mut self,
        connection: &mut Connection,
        from: Direction,
        now: Duration,
        flags: u8,
        data: &[u8],
        about: Option<&str>,
    ) -> Result<()> {
        let (sender, receiver) = match from {
            Direction::Client => (&mut connection.client, &connection.server),
            Direction::Server => (&mut connection.server, &connection.client),
        };
        let packet = ip_packet(sender, receiver, flags, data);
        let counts = data.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        sender.next = sender.next.wrapping_add(counts);
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: now,
            original_len: packet.len() as u32,
            data: Cow::Owned(packet),
            options: about.map(|text| EnhancedPacketOption::Comment(Cow::Owned(text.to_owned()))).into_iter().collect(),
        };
        self.writer.write_pcapng_block(block).map(|_| ())
    }
}

fn ip_packet(sender: &End, receiver: &End, flags: u8, data: &[u8]) -> Vec<u8> {
    let tcp = tcp_segment(sender, receiver, flags, data);
    let length = tcp.len() as u16;
    match (sender.address.ip(), receiver.address.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut header = vec![0x45, 0];
            header.extend((IPV4_HEADER + length).to_be_bytes());
            // No fragments; 64 hops; TCP; room for the checksum.
            header.extend([0, 0, 0x40, 0, 64, TCP, 0, 0]);
            header.extend(from.octets());
            header.extend(to.octets());
            let checksum = checksum(&[&header]).to_be_bytes();
            header.splice(10..12, checksum);
            header.extend(tcp);
            header
        }
        (from, to) => {
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend(length.to_be_bytes());
            packet.extend([TCP, 64]);
            packet.extend(octets_v6(from));
            packet.extend(octets_v6(to));
            packet.extend(tcp);
            packet
        }
    }
}

fn tcp_segment(sender: &End, receiver: &End, flags: u8, data: &[u8]) -> Vec<u8> {
    // Largest segment, and a window that is never full: its number is shifted by 14.
    let options: &[u8] = if flags & SYN == 0 { &[] } else { &[2, 4, 0xff, 0xd7, 1, 3, 3, 14] };
    let acknowledged = if flags & ACK == 0 { 0 } else { receiver.next };
    let mut tcp = Vec::with_capacity(TCP_HEADER + options.len() + data.len());
    tcp.extend(sender.address.port().to_be_bytes());
    tcp.extend(receiver.address.port().to_be_bytes());
    tcp.extend(sender.next.to_be_bytes());
    tcp.extend(acknowledged.to_be_bytes());
    tcp.extend([((TCP_HEADER + options.len()) as u8 / 4) << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
    tcp.extend_from_slice(options);
    tcp.extend_from_slice(data);
    let mut pseudo = Vec::new();
    for end in [sender, receiver] {
        match end.address.ip() {
            IpAddr::V4(address) => pseudo.extend(address.octets()),
            IpAddr::V6(address) => pseudo.extend(address.octets()),
        }
    }
    pseudo.extend((tcp.len() as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, TCP]);
    let checksum = checksum(&[&pseudo, &tcp]).to_be_bytes();
    tcp.splice(16..18, checksum);
    tcp
}

fn octets_v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// The Internet checksum (RFC 1071) of pieces, all but the last of even length.
fn checksum(pieces: &[&[u8]]) -> u16 {
    let mut sum: u64 = 0;
    for pair in pieces.iter().flat_map(|piece| piece.chunks(2)) {
        sum += match *pair {
            [high, low] => u64::from(u16::from_be_bytes([high, low])),
            [high, ..] => u64::from(high) << 8,
            [] => 0,
        };
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const PSH: u8 = 8;
const ACK: u8 = 16;

/// The protocol's number in IP headers.
const TCP: u8 = 6;

/// Bytes of an IPv4 header without options.
const IPV4_HEADER: u16 = 20;

/// Bytes of a TCP header without options.
const TCP_HEADER: usize = 20;

/// Data in a packet, in bytes: with its headers it fits into the 16 bits of an IP length.
const SEGMENT: usize = 60 << 10;

/// Sequence number at the beginning: small, to be read by people.
const FIRST_SEQUENCE: u32 = 1000;

/// Wireshark looks for RTMP here.
const RTMP_PORT: u16 = 1935;

/// The client's port in the first connection; the next one has the next.
const FIRST_PORT: u16 = 49_152;

/// Number of connections after which ports are reused.
const PORTS: u16 = 16_000;

/// The client's address where the server's is not on this machine: one that is for examples (RFC 5737, RFC 3849).
const CLIENT_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// Times are in units of 10⁻⁹ s.
const NANOSECONDS: u8 = 9;
