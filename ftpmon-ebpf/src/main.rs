//! ftpmon's kernel programs: they select FTP's packets, count them and copy them into a ring. The agent reads their meaning.
//!
//! One generic body, [`monitor`], serves six entry points: XDP and TC on ingress, TC on egress, each for devices with an
//! Ethernet header and for devices that hand over bare IP packets. They read no kernel structure, and the one program that does
//! ([`sockets`]) is told its places, so the object needs no CO-RE; the TC programs use nothing newer than Linux 5.15, the XDP programs need 5.18 (`frags`).
//!
//! Every path ends in `XDP_PASS` or `TCX_NEXT`, and no packet is changed.
#![no_std]
#![no_main]
// For atomic instructions, which the compiler offers for BPF in no other way, and for a move that hides a value.
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]
#![expect(
    clippy::needless_borrows_for_generic_args,
    reason = "a key that is not borrowed is copied to the stack"
)]
#![expect(
    unreachable_pub,
    missing_docs,
    reason = "aya's macros write public functions around the entry points"
)]

mod account;
mod atomic;
mod candidates;
mod control;
mod counters;
mod data;
mod emit;
mod fragments;
mod headers;
mod hide;
mod layout;
mod log;
mod maps;
mod monitor;
mod networks;
mod packet;
mod segment;
mod shared;
mod sockets;

use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use ftpmon_common::{Hook, Link};

use monitor::monitor;
use packet::{TcPacket, XdpPacket};

/// The next program decides (`TC_ACT_UNSPEC`, `TCX_NEXT`).
const TCX_NEXT: i32 = -1;

/// XDP, ingress, devices with an Ethernet header.
#[xdp(frags)]
pub fn ftpmon_xdp(ctx: XdpContext) -> u32 {
    monitor(XdpPacket(ctx.ctx), Hook::Xdp, Link::Ethernet);
    XDP_PASS
}

/// XDP, ingress, devices without a link-layer header.
#[xdp(frags)]
pub fn ftpmon_xdp_raw(ctx: XdpContext) -> u32 {
    monitor(XdpPacket(ctx.ctx), Hook::Xdp, Link::RawIp);
    XDP_PASS
}

/// TC, ingress, devices with an Ethernet header.
#[classifier]
pub fn ftpmon_tc_ingress(ctx: TcContext) -> i32 {
    monitor(TcPacket(ctx.skb.skb), Hook::TcIngress, Link::Ethernet);
    TCX_NEXT
}

/// TC, ingress, devices without a link-layer header.
#[classifier]
pub fn ftpmon_tc_ingress_raw(ctx: TcContext) -> i32 {
    monitor(TcPacket(ctx.skb.skb), Hook::TcIngress, Link::RawIp);
    TCX_NEXT
}

/// TC, egress, devices with an Ethernet header.
#[classifier]
pub fn ftpmon_tc_egress(ctx: TcContext) -> i32 {
    monitor(TcPacket(ctx.skb.skb), Hook::TcEgress, Link::Ethernet);
    TCX_NEXT
}

/// TC, egress, devices without a link-layer header.
#[classifier]
pub fn ftpmon_tc_egress_raw(ctx: TcContext) -> i32 {
    monitor(TcPacket(ctx.skb.skb), Hook::TcEgress, Link::RawIp);
    TCX_NEXT
}

/// The sockets that processes have open, for whoever reads the iterator.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub extern "C" fn ftpmon_sockets(context: *const sockets::TaskFile) -> i32 {
    sockets::tell(context);
    0
}

/// A panic that the compiler did not remove becomes an endless loop, which the verifier refuses: none reaches a kernel.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The licence, as the kernel reads it. Some helpers are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
