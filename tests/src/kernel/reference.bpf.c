// SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0-only
// What ftpmon's kernel programs are compared with: C programs of the same job and nothing more. They find a TCP segment as
// ftpmon does (two VLAN tags, IPv4 with options and fragments, IPv6) and look both ports up in an array. All but `…_select`
// programs count the packet in a per-CPU array, as ftpmon does: its look-ups are three. `…_ring` programs then look the
// connection up in an LRU hash, read the clock and copy the frame into a ring.
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/types.h>

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) value *name
#define be16(value) __builtin_bswap16(value)

static void *(*const map_lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*const map_update)(void *map, const void *key, const void *value, __u64 flags) =
    (void *)BPF_FUNC_map_update_elem;
static __u64 (*const boot_ns)(void) = (void *)BPF_FUNC_ktime_get_boot_ns;
static void *(*const ring_reserve)(void *ring, __u64 size, __u64 flags) = (void *)BPF_FUNC_ringbuf_reserve;
static void (*const ring_submit)(void *record, __u64 flags) = (void *)BPF_FUNC_ringbuf_submit;
static void (*const ring_discard)(void *record, __u64 flags) = (void *)BPF_FUNC_ringbuf_discard;
static long (*const xdp_load)(void *ctx, __u32 offset, void *to, __u32 len) = (void *)BPF_FUNC_xdp_load_bytes;
static long (*const skb_load)(const void *ctx, __u32 offset, void *to, __u32 len) =
    (void *)BPF_FUNC_skb_load_bytes;

enum { FRAME_MAX = 128 };

struct key {
    __u32 addresses[8];
    __u16 ports[2];
    __u32 reserved;
};

struct state {
    __u64 last_ns, packets, bytes;
};

struct record {
    __u64 at_ns;
    __u32 ifindex, len;
    __u8 bytes[FRAME_MAX];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 65536);
    __type(key, __u32);
    __type(value, __u32);
} ports SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} seen SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, struct key);
    __type(value, struct state);
} flows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 24);
} events SEC(".maps");

// The segment's ports are watched: 1, and `key` holds its connection. Otherwise 0.
INLINE int find(void *data, void *end, int wanted, struct key *key) {
    void *at = data + 14;
    if (at > end)
        return 0;
    __u16 ethertype = be16(*(__u16 *)(data + 12));
    for (int tag = 0; tag < 2; tag++) {
        if (ethertype != 0x8100 && ethertype != 0x88a8 && ethertype != 0x9100)
            break;
        if (at + 4 > end)
            return 0;
        ethertype = be16(*(__u16 *)(at + 2));
        at += 4;
    }
    void *addresses = at;
    int words;
    if (ethertype == 0x0800) {
        if (at + 20 > end)
            return 0;
        __u8 first = *(__u8 *)at;
        __u32 header = (first & 15) * 4;
        if (first >> 4 != 4 || header < 20 || *(__u8 *)(at + 9) != IPPROTO_TCP)
            return 0;
        if (be16(*(__u16 *)(at + 6)) & 0x3fff)
            return 0;
        addresses += 12;
        words = 2;
        at += header;
    } else if (ethertype == 0x86dd) {
        if (at + 40 > end || *(__u8 *)at >> 4 != 6 || *(__u8 *)(at + 6) != IPPROTO_TCP)
            return 0;
        addresses += 8;
        words = 8;
        at += 40;
    } else {
        return 0;
    }
    if (at + 20 > end || (*(__u8 *)(at + 12) >> 4) < 5)
        return 0;
    __u32 source = be16(*(__u16 *)at), destination = be16(*(__u16 *)(at + 2));
    __u32 *one = map_lookup(&ports, &source), *other = map_lookup(&ports, &destination);
    if (!one || !other || (*one == 0 && *other == 0))
        return 0;
    if (!wanted)
        return 1;
    if (addresses + words * 4 > end)
        return 0;
    if (words == 2) {
        key->addresses[0] = *(__u32 *)addresses;
        key->addresses[1] = *(__u32 *)(addresses + 4);
    } else if (addresses + 32 <= end) {
        __builtin_memcpy(key->addresses, addresses, 32);
    }
    key->ports[0] = source;
    key->ports[1] = destination;
    return 1;
}

INLINE void count(void) {
    __u32 zero = 0;
    __u64 *count = map_lookup(&seen, &zero);
    if (count)
        ++*count;
}

INLINE struct record *begin(struct key *key, __u32 ifindex, __u32 len) {
    struct state *state = map_lookup(&flows, key);
    if (!state) {
        struct state fresh = {};
        map_update(&flows, key, &fresh, 0);
        state = map_lookup(&flows, key);
        if (!state)
            return 0;
    }
    __u64 now = boot_ns();
    state->last_ns = now;
    state->packets++;
    state->bytes += len;
    struct record *record = ring_reserve(&events, sizeof(struct record), 0);
    if (!record)
        return 0;
    record->at_ns = now;
    record->ifindex = ifindex;
    record->len = len;
    return record;
}

// A length of at least 1 and at most FRAME_MAX, in one register for the verifier.
INLINE __u32 bounded(__u32 len) {
    __u32 less = (len > FRAME_MAX ? FRAME_MAX : len) - 1;
    asm volatile("" : "+r"(less));
    return (less & (FRAME_MAX - 1)) + 1;
}

INLINE void end(struct record *record, long failed) {
    if (failed)
        ring_discard(record, 0);
    else
        ring_submit(record, 0);
}

SEC("xdp") int xdp_select(struct xdp_md *ctx) {
    find((void *)(long)ctx->data, (void *)(long)ctx->data_end, 0, 0);
    return XDP_PASS;
}

SEC("classifier/tc_select") int tc_select(struct __sk_buff *ctx) {
    find((void *)(long)ctx->data, (void *)(long)ctx->data_end, 0, 0);
    return -1;
}

SEC("xdp") int xdp_count(struct xdp_md *ctx) {
    count();
    find((void *)(long)ctx->data, (void *)(long)ctx->data_end, 0, 0);
    return XDP_PASS;
}

SEC("classifier/tc_count") int tc_count(struct __sk_buff *ctx) {
    count();
    find((void *)(long)ctx->data, (void *)(long)ctx->data_end, 0, 0);
    return -1;
}

SEC("xdp") int xdp_ring(struct xdp_md *ctx) {
    count();
    struct key key = {};
    __u32 len = ctx->data_end - ctx->data;
    if (find((void *)(long)ctx->data, (void *)(long)ctx->data_end, 1, &key)) {
        struct record *record = begin(&key, ctx->ingress_ifindex, len);
        if (record)
            end(record, xdp_load(ctx, 0, record->bytes, bounded(len)));
    }
    return XDP_PASS;
}

SEC("classifier/tc_ring") int tc_ring(struct __sk_buff *ctx) {
    count();
    struct key key = {};
    __u32 len = ctx->len;
    if (find((void *)(long)ctx->data, (void *)(long)ctx->data_end, 1, &key)) {
        struct record *record = begin(&key, ctx->ifindex, len);
        if (record)
            end(record, skb_load(ctx, 0, record->bytes, bounded(len)));
    }
    return -1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
