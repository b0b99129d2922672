// L0 of the simulation: the rules alone, in memory, a million steps in about a second.
//
// One test plays a device and its server with the product's rules for calls (sync/outbox.h), cursors (sync/cursor.h) and the chain of calls
// (sync/hash.h). Messages are lost, repeated and late; the server's past is rewritten. After every step the device must show what the moment at
// its cursor held, plus each of its own calls that this moment lacks, once.
//
// The other merges edits that are based on rows of long ago (sync/merge.h) and compares with arithmetic on small numbers.
//
//   model_logic_test [STEPS [SEED]]
#include "base/alloc.h"
#include "notes.charle.h"
#include "notes.schema.charle.h"
#include "sync/cursor.h"
#include "sync/hash.h"
#include "sync/merge.h"
#include "sync/outbox.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int64_t steps_max = 1000000;
static uint64_t random_state = 1;

static uint64_t random_below(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state >> 11) % below;
}

// --- a device and its server ------------------------------------------------------------------------------------------

enum { CELLS = 4, CALLS_MAX = 40, VERSIONS_MAX = 160, FLIGHTS_MAX = 12, BATCH_MAX = 6, ROUND_STEPS = 300 };

struct version {
    int64_t stamp, last_sequence;
    int cells[CELLS];
};

struct server {
    int64_t epoch;
    struct version versions[VERSIONS_MAX]; // the newest is what is there now
    int count, saved_count;
    uint64_t hashes[CALLS_MAX + 1]; // of the calls by number; 0: before the first
};

struct call {
    enum ch_call_state state;
    int64_t number;
    uint64_t hash, seed;
    int cell, amount;
};

// A message on its way: a push, its answer, or a moment.
struct flight {
    enum { FLIGHT_NONE, FLIGHT_PUSH, FLIGHT_ANSWER, FLIGHT_MOMENT } kind;
    int64_t epoch;   // of the session it belongs to
    int64_t session;
    int calls[BATCH_MAX], count;
    struct call said[BATCH_MAX]; // as they were when they were sent
    int64_t from;
    unsigned changed; // cells, as bits: of the others the moment says nothing
    struct version moment;
    int64_t judged; // the newest number of an answer
};

struct device {
    struct call calls[CALLS_MAX];
    int count;
    int64_t numbered, cursor, session, epoch;
    uint64_t last_hash;
    int cells[CELLS]; // confirmed
    int64_t stream;   // where the server believes it to be
};

struct play {
    struct server server;
    struct device device;
    struct flight flights[FLIGHTS_MAX];
};

static struct version *newest(struct server *server)
{
    return &server->versions[server->count - 1];
}

static const struct version *version_at(const struct server *server, int64_t stamp)
{
    for (int i = server->count - 1; i >= 0; i--) {
        if (server->versions[i].stamp == stamp)
            return &server->versions[i];
    }
    return NULL;
}

static void commit(struct server *server, int cell, int amount, int64_t sequence)
{
    struct version version = *newest(server);
    bool is_new_epoch = ch_stamp_epoch(version.stamp) != server->epoch;
    version.stamp = is_new_epoch ? ch_stamp(server->epoch, 1) : ch_stamp(server->epoch, ch_stamp_count(version.stamp) + 1);
    version.cells[cell] += amount;
    version.last_sequence = sequence;
    server->versions[server->count++] = version;
}

static struct flight *free_flight(struct play *play)
{
    for (int i = 0; i < FLIGHTS_MAX; i++) {
        if (play->flights[i].kind == FLIGHT_NONE)
            return &play->flights[i];
    }
    return &play->flights[random_below(FLIGHTS_MAX)]; // another message is lost
}

// --- calls ------------------------------------------------------------------------------------------------------------

static uint64_t link_hash(uint64_t previous, const struct call *call)
{
    const struct ch_chain_link link = {.sequence = call->number, .method = CHARLE_STR("add"), .request = charle_bytes(&call->cell, sizeof(int)),
                                       .at_us = call->amount, .seed = call->seed};
    return ch_chain_hash(previous, &link);
}

static void make_call(struct play *play)
{
    struct device *device = &play->device;
    if (device->count < CALLS_MAX)
        device->calls[device->count++] =
            (struct call){.state = CH_CALL_QUEUED, .seed = random_below(UINT32_MAX), .cell = (int)random_below(CELLS), .amount = 1 + (int)random_below(9)};
}

static void move(struct call *call, enum ch_call_event event)
{
    int next = ch_call_next(call->state, event);
    if (!next)
        fail_msg("event %d cannot happen to call %" PRId64 " in state %d", (int)event, call->number, (int)call->state);
    call->state = (enum ch_call_state)next;
}

// Those with numbers go first, or numbers would jump.
static void send_calls(struct play *play)
{
    struct device *device = &play->device;
    struct flight flight = {.kind = FLIGHT_PUSH, .epoch = device->epoch, .session = device->session};
    struct ch_push_batch batch = {.count_max = 1 + random_below(BATCH_MAX)};
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < device->count; i++) {
            struct call *call = &device->calls[i];
            if (!ch_call_wants_sending(call->state) || (call->state == CH_CALL_QUEUED) != (pass == 1))
                continue;
            if (!ch_push_batch_add(&batch, 3, sizeof(int)))
                break;
            if (pass == 1) {
                call->number = ++device->numbered;
                call->hash = device->last_hash = link_hash(device->last_hash, call);
                move(call, CH_CALL_SEND);
            }
            flight.said[flight.count] = *call;
            flight.calls[flight.count++] = i;
        }
    }
    if (flight.count)
        *free_flight(play) = flight;
}

// What the server does with a push: repeats are answered, the next one is made, after a gap nothing is.
static void take_push(struct play *play, const struct flight *push)
{
    struct server *server = &play->server;
    struct flight answer = *push;
    if (push->epoch != server->epoch || server->count + push->count >= VERSIONS_MAX)
        return;
    answer.kind = FLIGHT_ANSWER;
    answer.judged = 0;
    for (int i = 0; i < push->count; i++) {
        const struct call *call = &push->said[i];
        int64_t last = newest(server)->last_sequence;
        if (call->number > last + 1)
            break;
        if (link_hash(server->hashes[call->number - 1], call) != call->hash)
            fail_msg("call %" PRId64 " does not follow from the one before it", call->number);
        if (call->number == last + 1) {
            server->hashes[call->number] = call->hash;
            commit(server, call->cell, call->amount, call->number);
        }
        answer.judged = call->number;
    }
    *free_flight(play) = answer;
}

static void take_answer(struct play *play, const struct flight *answer)
{
    for (int i = 0; i < answer->count; i++) {
        struct call *call = &play->device.calls[answer->calls[i]];
        bool is_open = call->state == CH_CALL_SENT || call->state == CH_CALL_CONTAINED;
        if (call->number <= answer->judged && is_open)
            move(call, CH_CALL_JUDGE);
    }
}

// --- moments ----------------------------------------------------------------------------------------------------------

static void write_others(struct play *play)
{
    struct server *server = &play->server;
    if (server->count < VERSIONS_MAX)
        commit(server, (int)random_below(CELLS), 1 + (int)random_below(9), newest(server)->last_sequence);
}

static void send_moment(struct play *play)
{
    struct device *device = &play->device;
    struct version *now = newest(&play->server);
    if (device->epoch != play->server.epoch || device->stream == now->stamp)
        return;
    const struct version *before = version_at(&play->server, device->stream);
    struct flight flight = {.kind = FLIGHT_MOMENT, .epoch = device->epoch, .session = device->session, .from = device->stream, .moment = *now};
    for (int i = 0; i < CELLS; i++)
        flight.changed |= before->cells[i] != now->cells[i] ? 1u << i : 0;
    *free_flight(play) = flight;
    device->stream = now->stamp;
}

static void contain(struct device *device, const struct version *moment, unsigned changed)
{
    if (ch_call_is_foreign(moment->last_sequence, device->numbered))
        fail_msg("the moment contains call %" PRId64 ", and the device made %" PRId64, moment->last_sequence, device->numbered);
    for (int i = 0; i < CELLS; i++)
        device->cells[i] = changed >> i & 1 ? moment->cells[i] : device->cells[i];
    device->cursor = moment->stamp;
    for (int i = 0; i < device->count; i++) {
        struct call *call = &device->calls[i];
        if (call->number && call->number <= moment->last_sequence && (call->state == CH_CALL_SENT || call->state == CH_CALL_JUDGED))
            move(call, CH_CALL_CONTAIN);
    }
}

// A new session: numbers are compared, and what was rewritten is fetched whole.
static void open_session(struct play *play)
{
    struct device *device = &play->device;
    struct server *server = &play->server;
    int64_t last = newest(server)->last_sequence;
    device->session++;
    if (device->epoch != server->epoch) {
        for (int i = 0; i < device->count; i++) {
            struct call *call = &device->calls[i];
            if (call->number > last) {
                move(call, CH_CALL_RECALL);
                call->number = 0;
            }
        }
        device->numbered = last;
        device->last_hash = server->hashes[last];
        device->epoch = server->epoch;
        contain(device, newest(server), ~0u);
    }
    device->stream = device->cursor;
}

static void take_moment(struct play *play, const struct flight *flight)
{
    switch (ch_delta_fit(play->device.cursor, flight->from, flight->moment.stamp)) {
    case CH_DELTA_APPLIES:
        contain(&play->device, &flight->moment, flight->changed);
        break;
    case CH_DELTA_GAP:
        open_session(play);
        break;
    case CH_DELTA_OLD:
        break;
    }
}

// --- the past is rewritten ----------------------------------------------------------------------------------------------

static void restore(struct play *play)
{
    struct server *server = &play->server;
    if (!server->saved_count) {
        server->saved_count = server->count;
        return;
    }
    server->count = server->saved_count;
    server->epoch++;
}

static void deliver(struct play *play)
{
    struct flight *at = &play->flights[random_below(FLIGHTS_MAX)], flight = *at;
    if (random_below(10) < 8)
        at->kind = FLIGHT_NONE; // otherwise it comes once more
    if (flight.kind == FLIGHT_PUSH && random_below(10) < 9)
        take_push(play, &flight); // even when its session is over
    else if (flight.session != play->device.session || flight.epoch != play->device.epoch)
        return;
    else if (flight.kind == FLIGHT_ANSWER)
        take_answer(play, &flight);
    else if (flight.kind == FLIGHT_MOMENT)
        take_moment(play, &flight);
}

// --- what must be true ----------------------------------------------------------------------------------------------------

static void check(const struct play *play)
{
    const struct device *device = &play->device;
    const struct version *version = version_at(&play->server, device->cursor);
    int shown[CELLS], should[CELLS];
    if (device->epoch != play->server.epoch)
        return; // it has not heard of it yet
    assert_non_null(version);
    memcpy(shown, device->cells, sizeof(shown));
    memcpy(should, version->cells, sizeof(should));
    for (int i = 0; i < device->count; i++) {
        const struct call *call = &device->calls[i];
        shown[call->cell] += ch_call_is_waiting(call->state) ? call->amount : 0;
        should[call->cell] += call->number && call->number <= version->last_sequence ? 0 : call->amount;
    }
    assert_memory_equal(shown, should, sizeof(shown));
}

static void settle(struct play *play)
{
    memset(play->flights, 0, sizeof(play->flights));
    open_session(play);
    for (int i = 0; i < CALLS_MAX * 2; i++) {
        send_calls(play);
        for (int f = 0; f < FLIGHTS_MAX; f++) {
            struct flight flight = play->flights[f];
            play->flights[f].kind = FLIGHT_NONE;
            if (flight.kind == FLIGHT_PUSH)
                take_push(play, &flight);
            else if (flight.kind == FLIGHT_ANSWER)
                take_answer(play, &flight);
        }
    }
    send_moment(play);
    for (int f = 0; f < FLIGHTS_MAX; f++) {
        if (play->flights[f].kind == FLIGHT_MOMENT)
            take_moment(play, &play->flights[f]);
    }
    for (int i = 0; i < play->device.count; i++)
        assert_int_equal(play->device.calls[i].state, CH_CALL_DONE);
    assert_int_equal(play->device.cursor, newest(&play->server)->stamp);
    check(play);
}

static void play_round(struct play *play)
{
    *play = (struct play){.server = {.epoch = 1, .count = 1}, .device = {.epoch = 1}};
    for (int step = 0; step < ROUND_STEPS; step++) {
        switch (random_below(16)) {
        case 0:
        case 1:
            make_call(play);
            break;
        case 2:
            if (play->server.count < VERSIONS_MAX / 2)
                write_others(play);
            break;
        case 3:
        case 4:
        case 5:
            send_calls(play);
            break;
        case 6:
        case 7:
            send_moment(play);
            break;
        case 8:
            if (random_below(8) == 0)
                restore(play);
            else if (random_below(4) == 0)
                open_session(play);
            break;
        default:
            deliver(play);
            break;
        }
        check(play);
    }
    settle(play);
}

static void calls_take_effect_once(void **state)
{
    struct play *play = calloc(1, sizeof(*play));
    (void)state;
    for (int64_t steps = 0; steps < steps_max; steps += ROUND_STEPS)
        play_round(play);
    free(play);
}

// --- merging ----------------------------------------------------------------------------------------------------------

enum { TITLE = 2, VOTES = 4, RANK = 6, LABELS = 9, LABEL_NAMES = 6, ROWS_KEPT = 8 };

// A row as small numbers: a title by its number, the labels as bits.
struct tiny {
    int title, votes, rank, labels;
};

struct spelled {
    struct notes_note_patch row;
    struct charle_str labels[LABEL_NAMES];
};

static const struct charle_str titles[] = {CHARLE_STR_INIT("a"), CHARLE_STR_INIT("b"), CHARLE_STR_INIT("c")};
static const struct charle_str label_names[LABEL_NAMES] = {CHARLE_STR_INIT("l0"), CHARLE_STR_INIT("l1"), CHARLE_STR_INIT("l2"),
                                                           CHARLE_STR_INIT("l3"), CHARLE_STR_INIT("l4"), CHARLE_STR_INIT("l5")};

static void spell(const struct tiny *tiny, struct spelled *out)
{
    size_t count = 0;
    for (int i = 0; i < LABEL_NAMES; i++) {
        if (tiny->labels >> i & 1)
            out->labels[count++] = label_names[i];
    }
    out->row = (struct notes_note_patch){.title = {titles[tiny->title], true}, .votes = {tiny->votes, true}, .rank = {tiny->rank, true},
                                         .labels = {out->labels, count, true}};
}

static struct tiny take_down(const struct notes_note_patch *row, const struct tiny *before, const struct charle_column_set *changed)
{
    struct tiny tiny = *before;
    const struct charle_str *labels = row->labels.items;
    for (int i = 0; charle_column_set_has(changed, TITLE) && i < 3; i++)
        tiny.title = charle_str_equal(row->title.value, titles[i]) ? i : tiny.title;
    tiny.votes = charle_column_set_has(changed, VOTES) ? row->votes.value : tiny.votes;
    tiny.rank = charle_column_set_has(changed, RANK) ? row->rank.value : tiny.rank;
    tiny.labels = charle_column_set_has(changed, LABELS) ? 0 : tiny.labels;
    for (size_t i = 0; charle_column_set_has(changed, LABELS) && i < row->labels.count; i++) {
        for (int n = 0; n < LABEL_NAMES; n++)
            tiny.labels |= charle_str_equal(labels[i], label_names[n]) ? 1 << n : 0;
    }
    return tiny;
}

// What the rules say, as arithmetic. False: a conflict.
static bool merge_by_hand(const struct tiny *base, const struct tiny *stored, const struct tiny *wanted, uint64_t mask, struct tiny *out)
{
    *out = *stored;
    if (mask & 1u << RANK) {
        if (stored->rank != base->rank && wanted->rank != stored->rank)
            return false;
        out->rank = wanted->rank;
    }
    if (mask & 1u << TITLE)
        out->title = wanted->title;
    if (mask & 1u << VOTES)
        out->votes = stored->votes + wanted->votes - base->votes;
    if (mask & 1u << LABELS)
        out->labels = (stored->labels & ~(base->labels & ~wanted->labels)) | (wanted->labels & ~base->labels);
    return true;
}

static struct tiny some_edit(const struct tiny *base)
{
    return (struct tiny){.title = (int)random_below(3), .votes = base->votes + (int)random_below(5) - 2, .rank = (int)random_below(3),
                         .labels = base->labels ^ (int)random_below(1 << LABEL_NAMES) % 7};
}

static void edits_merge_as_by_hand(void **state)
{
    static const int columns[] = {TITLE, VOTES, RANK, LABELS};
    struct charle_arena arena = {0};
    struct tiny kept[ROWS_KEPT] = {{0}}, stored = {0};
    int64_t conflicts = 0;
    (void)state;
    for (int64_t i = 0; i < steps_max / 4; i++) {
        struct tiny base = kept[random_below(ROWS_KEPT)], wanted = some_edit(&base), expected;
        struct spelled b, s, w;
        struct charle_error err = {0};
        struct ch_merge merge = {.table = &notes_note_table, .arena = &arena, .base = &b.row, .stored = &s.row, .wanted = &w.row};
        for (size_t c = 0; c < sizeof(columns) / sizeof(columns[0]); c++)
            merge.mask.bits[0] |= random_below(2) ? (uint64_t)1 << columns[c] : 0;
        spell(&base, &b);
        spell(&stored, &s);
        spell(&wanted, &w);
        enum charle_err rc = ch_merge_update(&merge, &err);
        bool is_right = merge_by_hand(&base, &stored, &wanted, merge.mask.bits[0], &expected);
        assert_int_equal(rc, is_right ? CHARLE_OK : CHARLE_CONFLICT);
        if (is_right)
            stored = take_down(merge.merged, &stored, &merge.changed);
        conflicts += !is_right;
        assert_memory_equal(&stored, &expected, sizeof(stored));
        kept[random_below(ROWS_KEPT)] = stored;
        charle_arena_reset(&arena);
    }
    charle_arena_deinit(&arena);
    assert_true(conflicts > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_take_effect_once), cmocka_unit_test(edits_merge_as_by_hand)};
    if (argc > 1)
        steps_max = atoll(argv[1]);
    if (argc > 2)
        random_state = strtoull(argv[2], NULL, 10) * 0x9e3779b97f4a7c15u + 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
