#include "bench/sync/live_stream.h"

#include "base/err.h"
#include "bench/common/bench.h"
#include "charle/sync.charle.h"
#include "db/db.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

void live_streams_allow(void)
{
    struct rlimit files = {.rlim_cur = 16384, .rlim_max = 16384};
    setrlimit(RLIMIT_NOFILE, &files);
}

static void on_page(void *ctx, struct charle_rpc *rpc, struct charle_bytes message)
{
    struct live_stream *stream = ctx;
    atomic_store(&stream->last_page_at, bench_now());
    atomic_fetch_add(&stream->pages, 1);
    charle_rpc_consumed(rpc, message.len);
}

static void on_done(void *ctx, struct charle_rpc *rpc, const struct charle_status *status)
{
    struct live_stream *stream = ctx;
    (void)rpc;
    if (status->code != CHARLE_CANCELLED)
        fprintf(stderr, "a live stream ended: %.*s\n", CHARLE_FMT(status->text));
    atomic_store(&stream->is_over, 1);
}

void live_stream_open(struct rig *rig, struct live_stream *stream, struct live_stream *shared, struct charle_bytes request)
{
    struct charle_error err = {0};
    const struct charle_channel_options options = {.token = rig->token};
    const struct charle_call_options call = {.timeout_ms = UINT32_MAX};
    const struct charle_rpc_events events = {.message = on_page, .done = on_done, .ctx = stream};
    if ((!shared && charle_channel_open(rig->address, &options, &stream->channel, &err)) ||
        charle_rpc_start(shared ? shared->channel : stream->channel, CHARLE_STR("charle.Sync/Pull"), request, &call, &events, &stream->rpc, &err))
        bench_die("live pull: %s", err.text);
}

void live_stream_close(struct live_stream *stream)
{
    charle_rpc_cancel(stream->rpc);
    charle_rpc_release(stream->rpc);
    charle_channel_close(stream->channel);
    memset(stream, 0, sizeof(*stream));
}

void live_streams_wait(struct live_stream *streams, int count, int pages)
{
    double start = bench_now();
    for (int i = 0; i < count; i++) {
        while (atomic_load(&streams[i].pages) < pages) {
            if (bench_now() - start > 30 || atomic_load(&streams[i].is_over))
                bench_die("live client %d of %d got no page", i + 1, count);
            poll(NULL, 0, 1);
        }
    }
}

static struct charle_value value_at(struct charle_rows *rows, size_t column, enum charle_type type)
{
    struct charle_error err;
    struct charle_value value;
    if (charle_rows_value(rows, column, type, false, &value, &err))
        bench_die("replica: %s", err.text);
    return value;
}

struct charle_array live_cursors(struct charle_client *client, struct charle_arena *arena)
{
    enum { CURSORS_MAX = 64 };
    struct charle_error err = {0};
    struct charle_rows *rows = NULL;
    struct charle_cursor *cursors = charle_arena_array(arena, CURSORS_MAX, sizeof(*cursors));
    const struct charle_cursor **items = charle_arena_array(arena, CURSORS_MAX, sizeof(*items));
    size_t count = 0;
    if (!cursors || !items ||
        charle_query(charle_client_db(client), "select scope, stamp, lineage from charle_cursor where stamp is not null and "
                     "scope not like 'device:%' order by scope", NULL, 0, &rows, &err))
        bench_die("replica: %s", err.text);
    while (count < CURSORS_MAX && charle_rows_next(rows, &err) == CHARLE_OK) {
        struct charle_cursor *cursor = &cursors[count];
        cursor->scope = charle_arena_str(arena, value_at(rows, 0, CHARLE_TYPE_TEXT).text);
        cursor->stamp = value_at(rows, 1, CHARLE_TYPE_INT8).int8;
        cursor->lineage = (uint64_t)value_at(rows, 2, CHARLE_TYPE_INT8).int8;
        items[count++] = cursor;
    }
    charle_rows_close(rows);
    return (struct charle_array){.items = items, .count = count, .has = true};
}
