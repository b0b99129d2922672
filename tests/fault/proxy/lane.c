// One direction of a connection: bytes in, frames apart, faults, times, bytes out.
#include "fault/proxy/parts.h"

#include "rpc/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 64 << 10 };

void lane_init(struct lane *lane, int from, int to, struct weather *weather)
{
    *lane = (struct lane){.from = from, .to = to, .cut_at = weather->next_cut, .plan = weather->next_frame};
    weather->next_cut = -1;
    weather->next_frame = (struct frame_plan){0};
}

void lane_deinit(struct lane *lane)
{
    for (struct piece *piece = lane->first, *next; piece; piece = next) {
        next = piece->next;
        free(piece);
    }
    free(lane->held);
    charle_buf_deinit(&lane->in);
}

// --- pieces -------------------------------------------------------------------------------------------------------------------

static struct piece *piece_new(const uint8_t *bytes, size_t size)
{
    struct piece *piece = malloc(sizeof(*piece) + size);
    if (!piece)
        abort();
    *piece = (struct piece){.size = size};
    memcpy(piece->bytes, bytes, size);
    return piece;
}

// In order: never due before the one in front.
static void queue(struct proxy *proxy, struct lane *lane, const struct weather *weather, struct piece *piece, int64_t now_us)
{
    int64_t jitter = weather->jitter_us ? proxy_random(proxy, (uint32_t)weather->jitter_us) : 0;
    piece->due_us = now_us + weather->delay_us + jitter;
    if (lane->last && lane->last->due_us > piece->due_us)
        piece->due_us = lane->last->due_us;
    piece->next = NULL;
    if (lane->last)
        lane->last->next = piece;
    else
        lane->first = piece;
    lane->last = piece;
    lane->queued += piece->size;
}

static void let_held_go(struct proxy *proxy, struct lane *lane, const struct weather *weather, int64_t now_us)
{
    if (lane->held)
        queue(proxy, lane, weather, lane->held, now_us);
    lane->held = NULL;
}

// --- faults of frames -----------------------------------------------------------------------------------------------------------

static enum proxy_fault choose_fault(struct proxy *proxy, struct lane *lane, const struct weather *weather, int type)
{
    lane->seen_any++;
    lane->seen[type]++;
    const struct frame_plan *plan = &lane->plan;
    if (plan->fault && plan->number == (plan->type ? lane->seen[plan->type] : lane->seen_any) && (!plan->type || plan->type == type))
        return plan->fault;
    if (!(proxy->types >> type & 1u))
        return FAULT_NONE;
    for (int fault = 1; fault < FAULT_COUNT; fault++)
        if (weather->chance[fault] && proxy_random(proxy, 1000) < weather->chance[fault])
            return (enum proxy_fault)fault;
    return FAULT_NONE;
}

static void take_frame(struct proxy *proxy, struct pair *pair, enum proxy_direction direction, const uint8_t *bytes, size_t size, int64_t now_us)
{
    struct lane *lane = &pair->lanes[direction];
    const struct weather *weather = &proxy->weather[direction];
    struct piece *held = lane->held;
    lane->held = NULL;
    proxy->counts.frames[direction]++;
    switch (choose_fault(proxy, lane, weather, bytes[4] % FRAME_TYPES)) {
    case FAULT_DROP:
        proxy->counts.drops++;
        lane->cut_at = (int64_t)(lane->passed + lane->queued); // what is before it still arrives
        break;
    case FAULT_LOSE:
        proxy->counts.losses++;
        break;
    case FAULT_DUPLICATE:
        proxy->counts.duplicates++;
        queue(proxy, lane, weather, piece_new(bytes, size), now_us);
        queue(proxy, lane, weather, piece_new(bytes, size), now_us);
        break;
    case FAULT_REORDER:
        proxy->counts.reorders++;
        lane->held = piece_new(bytes, size);
        lane->held_since_us = now_us;
        break;
    case FAULT_NONE:
    case FAULT_COUNT:
        queue(proxy, lane, weather, piece_new(bytes, size), now_us);
        break;
    }
    if (held)
        queue(proxy, lane, weather, held, now_us);
}

// --- bytes in -------------------------------------------------------------------------------------------------------------------

// Size of the next whole piece of `in`; 0: not there yet. *out_is_frame: it has a header.
static size_t next_size(struct lane *lane, const uint8_t *in, size_t size, bool *out_is_frame)
{
    struct ch_frame frame;
    struct charle_error err;
    *out_is_frame = false;
    if (lane->is_raw)
        return size;
    if (!lane->has_magic) {
        size_t known = size < CH_FRAME_MAGIC_SIZE ? size : CH_FRAME_MAGIC_SIZE;
        lane->is_raw = memcmp(in, CH_FRAME_MAGIC, known) != 0;
        if (lane->is_raw)
            return size;
        lane->has_magic = size >= CH_FRAME_MAGIC_SIZE;
        return lane->has_magic ? CH_FRAME_MAGIC_SIZE : 0;
    }
    if (size < CH_FRAME_HEADER_SIZE)
        return 0;
    if (ch_frame_read_header(in, &frame, &err)) { // not for us to judge
        lane->is_raw = true;
        return size;
    }
    *out_is_frame = true;
    return size >= CH_FRAME_HEADER_SIZE + frame.size ? CH_FRAME_HEADER_SIZE + frame.size : 0;
}

static void take_apart(struct proxy *proxy, struct pair *pair, enum proxy_direction direction, int64_t now_us)
{
    struct lane *lane = &pair->lanes[direction];
    size_t at = 0, size;
    bool is_frame;
    while (at < lane->in.size && (size = next_size(lane, lane->in.data + at, lane->in.size - at, &is_frame)) > 0) {
        if (is_frame)
            take_frame(proxy, pair, direction, lane->in.data + at, size, now_us);
        else
            queue(proxy, lane, &proxy->weather[direction], piece_new(lane->in.data + at, size), now_us);
        at += size;
    }
    size_t rest = lane->in.size - at;
    memmove(lane->in.data, lane->in.data + at, rest);
    charle_buf_reset(&lane->in);
    charle_buf_advance(&lane->in, rest);
}

void lane_read(struct proxy *proxy, struct pair *pair, enum proxy_direction direction, int64_t now_us)
{
    struct lane *lane = &pair->lanes[direction];
    uint8_t *room = charle_buf_reserve(&lane->in, READ_SIZE);
    if (!room)
        abort();
    ssize_t got = read(lane->from, room, READ_SIZE);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        // What came of an unfinished frame is passed on: a receiver has to live with half a frame and an end.
        if (lane->in.size)
            queue(proxy, lane, &proxy->weather[direction], piece_new(lane->in.data, lane->in.size), now_us);
        charle_buf_reset(&lane->in);
        let_held_go(proxy, lane, &proxy->weather[direction], now_us);
        lane->is_ended = true;
        return;
    }
    charle_buf_advance(&lane->in, (size_t)got);
    take_apart(proxy, pair, direction, now_us);
}

// --- bytes out ------------------------------------------------------------------------------------------------------------------

bool lane_wants_input(const struct proxy *proxy, const struct lane *lane)
{
    return !lane->is_ended && lane->queued < QUEUE_MAX && !proxy->is_blackhole;
}

static bool is_held_up(const struct proxy *proxy, enum proxy_direction direction, int64_t now_us)
{
    return proxy->is_blackhole || proxy->weather[direction].stalled_until_us > now_us;
}

bool lane_wants_output(const struct proxy *proxy, const struct lane *lane, enum proxy_direction direction, int64_t now_us)
{
    return lane->first && lane->first->due_us <= now_us && !is_held_up(proxy, direction, now_us) && !proxy->weather[direction].rate;
}

static void look_again(struct proxy *proxy, int64_t at_us)
{
    if (at_us < proxy->next_us)
        proxy->next_us = at_us;
}

// How much may leave now.
static size_t allowance(const struct weather *weather, struct lane *lane, size_t wanted, int64_t now_us)
{
    if (lane->cut_at >= 0 && wanted > (uint64_t)lane->cut_at - lane->passed)
        wanted = (size_t)((uint64_t)lane->cut_at - lane->passed);
    if (!weather->rate)
        return wanted;
    int64_t burst = (int64_t)weather->rate / 20 + 1; // of 50 ms
    lane->allowance += (now_us - lane->allowance_at_us) * (int64_t)weather->rate / 1000000;
    lane->allowance_at_us = now_us;
    lane->allowance = lane->allowance > burst ? burst : lane->allowance;
    size_t allowed = lane->allowance > 0 ? (size_t)lane->allowance : 0;
    return wanted < allowed ? wanted : allowed;
}

// False: no more goes now.
static bool write_some(struct proxy *proxy, struct pair *pair, enum proxy_direction direction, int64_t now_us)
{
    struct lane *lane = &pair->lanes[direction];
    struct piece *piece = lane->first;
    size_t wanted = allowance(&proxy->weather[direction], lane, piece->size - piece->sent, now_us);
    if (!wanted) {
        look_again(proxy, now_us + 10000);
        return false;
    }
    ssize_t put = send(lane->to, piece->bytes + piece->sent, wanted, MSG_NOSIGNAL);
    if (put < 0) {
        if (errno != EAGAIN && errno != EINTR)
            pair_kill(pair, false);
        return false;
    }
    piece->sent += (size_t)put;
    lane->passed += (uint64_t)put;
    lane->queued -= (size_t)put;
    lane->allowance -= put;
    proxy->counts.bytes[direction] += (uint64_t)put;
    if (pair == proxy->pairs) // the newest
        proxy->counts.last[direction] = lane->passed;
    if (piece->sent < piece->size)
        return (size_t)put == wanted && lane->cut_at < 0;
    lane->first = piece->next;
    if (!lane->first)
        lane->last = NULL;
    free(piece);
    return true;
}

void lane_write(struct proxy *proxy, struct pair *pair, enum proxy_direction direction, int64_t now_us)
{
    struct lane *lane = &pair->lanes[direction];
    const struct weather *weather = &proxy->weather[direction];
    if (is_held_up(proxy, direction, now_us)) {
        if (!proxy->is_blackhole && weather->stalled_until_us != INT64_MAX)
            look_again(proxy, weather->stalled_until_us);
        return;
    }
    if (lane->held && now_us - lane->held_since_us >= REORDER_US)
        let_held_go(proxy, lane, weather, now_us);
    if (lane->held)
        look_again(proxy, lane->held_since_us + REORDER_US);
    bool is_cut = lane->cut_at >= 0 && lane->passed >= (uint64_t)lane->cut_at;
    while (!pair->is_dead && !is_cut && lane->first && lane->first->due_us <= now_us && write_some(proxy, pair, direction, now_us))
        is_cut = lane->cut_at >= 0 && lane->passed >= (uint64_t)lane->cut_at;
    is_cut = lane->cut_at >= 0 && lane->passed >= (uint64_t)lane->cut_at;
    if (is_cut && !pair->is_dead) {
        proxy->counts.cuts++;
        pair_kill(pair, false);
    } else if (!lane->first && lane->is_ended && !lane->is_shut) {
        shutdown(lane->to, SHUT_WR);
        lane->is_shut = true;
    } else if (lane->first && lane->first->due_us > now_us) {
        look_again(proxy, lane->first->due_us);
    }
}
