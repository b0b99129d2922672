// Admin/Server: what an operator wants to see in one screen. Who is connected and how far behind, slow clients, the ring,
// the change log, other servers.
//
// It names people and machines, so it is for those who hold the operators' scope. Everything is read from memory but the
// names of devices, the size of the log and who holds up others in the database, which are one statement each; nothing here
// locks what calls wait for.
#include "charle/admin.charle.h"

#include "base/limits.h"
#include "db/db.h"
#include "server/engine_parts.h"

#include <stdio.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 500, HEX_SIZE = 2 * CH_HINTS_ID_SIZE + 1 };

struct overview {
    struct ch_engine *engine;
    struct charle_db *db;
    struct charle_arena *arena;
    size_t limit;
    struct charle_server_reply *reply;
};

static enum charle_err no_memory(struct charle_error *err)
{
    return charle_fail(err, CHARLE_NO_MEMORY, "no memory for what the server knows of itself");
}

static enum charle_err check_operator(const struct charle_context *context, const char *scope, struct charle_error *err)
{
    const struct charle_identity *identity = context->identity;
    for (size_t i = 0; i < identity->scope_count; i++)
        if (charle_str_equal(identity->scopes[i], charle_str(scope)))
            return CHARLE_OK;
    return charle_fail(err, CHARLE_PERMISSION_DENIED,
                       "who is connected is for operators: people who hold the scope \"%.80s\" (setting `operators` of the server)", scope);
}

// --- clients -------------------------------------------------------------------------------------------------------

// Puts the devices' names to the clients.
static enum charle_err name_devices(const struct overview *view, struct charle_live_client *clients, size_t count,
                                    struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    struct charle_str *ids = charle_arena_array(view->arena, count, sizeof(*ids));
    if (!ids)
        return no_memory(err);
    for (size_t i = 0; i < count; i++)
        ids[i] = clients[i].device_id;
    const struct charle_value param = {.type = CHARLE_TYPE_TEXT, .is_array = true, .array = {ids, count, true}};
    enum charle_err rc = charle_query(view->db,
                                      "select d.name from unnest($1::text[]) with ordinality as i(id, n) "
                                      "left join charle.device d on d.id = i.id order by i.n",
                                      &param, 1, &rows, err);
    for (size_t i = 0; rc == CHARLE_OK && i < count; i++) {
        struct charle_value name;
        rc = charle_rows_next(rows, err);
        if (rc == CHARLE_OK)
            rc = charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &name, err);
        clients[i].device_name.has = rc == CHARLE_OK && !name.is_null;
        if (clients[i].device_name.has)
            clients[i].device_name.value = charle_arena_str(view->arena, name.text);
    }
    charle_rows_close(rows);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static enum charle_err add_hot(const struct overview *view, const struct ch_live_overview *live, struct charle_error *err)
{
    struct charle_hot_scope *hot = charle_arena_array(view->arena, live->hot_count, sizeof(*hot));
    const struct charle_hot_scope **list = charle_arena_array(view->arena, live->hot_count, sizeof(*list));
    if (!hot || !list)
        return no_memory(err);
    for (size_t i = 0; i < live->hot_count; i++) {
        hot[i] = (struct charle_hot_scope){.scope = live->hot[i].scope, .raises = (uint64_t)live->hot[i].raises};
        list[i] = &hot[i];
    }
    view->reply->hot = (struct charle_array){.items = list, .count = live->hot_count, .has = true};
    return CHARLE_OK;
}

static enum charle_err add_clients(const struct overview *view, struct charle_error *err)
{
    struct ch_live_overview live;
    enum charle_err rc = ch_live_look_at(view->engine->live, view->limit, view->arena, &live, err);
    if (rc)
        return rc;
    struct charle_live_client *clients = charle_arena_array(view->arena, live.count, sizeof(*clients));
    const struct charle_live_client **list = charle_arena_array(view->arena, live.count, sizeof(*list));
    if (!clients || !list)
        return no_memory(err);
    for (size_t i = 0; i < live.count; i++) {
        const struct ch_live_entry *entry = &live.entries[i];
        clients[i] = (struct charle_live_client){.principal = entry->principal,
                                                 .principal_id = entry->principal_id,
                                                 .device_id = entry->device_id,
                                                 .peer = entry->peer,
                                                 .since_us = entry->since_us,
                                                 .behind_stamps = entry->behind_stamps,
                                                 .behind_us = entry->behind_us,
                                                 .queued_bytes = entry->queued_bytes,
                                                 .silent_us = entry->silent_us};
        list[i] = &clients[i];
    }
    view->reply->client = (struct charle_array){.items = list, .count = live.count, .has = true};
    view->reply->ring_ticks = live.ring_ticks;
    view->reply->ring_bytes = live.ring_bytes;
    view->reply->ring_bytes_max = CH_TICKS_SIZE_MAX;
    rc = name_devices(view, clients, live.count, err);
    return rc ? rc : add_hot(view, &live, err);
}

// --- other servers -------------------------------------------------------------------------------------------------

static struct charle_str hex(const uint8_t *bytes, size_t size, struct charle_arena *arena)
{
    char text[HEX_SIZE];
    for (size_t i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return charle_arena_str(arena, charle_str(text));
}

static enum charle_err add_peers(const struct overview *view, struct charle_error *err)
{
    struct ch_hints_figures *figures = charle_arena_alloc(view->arena, sizeof(*figures));
    if (!figures)
        return no_memory(err);
    ch_hints_figures(view->engine->hints, figures);
    struct charle_peer_state *peers = charle_arena_array(view->arena, figures->sender_count, sizeof(*peers));
    const struct charle_peer_state **list = charle_arena_array(view->arena, figures->sender_count, sizeof(*list));
    if (!peers || !list)
        return no_memory(err);
    int64_t now_us = ch_clock_mono_us();
    for (size_t i = 0; i < figures->sender_count; i++) {
        const struct ch_hints_sender *sender = &figures->senders[i];
        peers[i] = (struct charle_peer_state){.name = hex(sender->id, 4, view->arena),
                                              .heard_us = now_us - sender->heard_us,
                                              .hints = sender->hints,
                                              .lost = sender->lost};
        list[i] = &peers[i];
        if (!peers[i].name.ptr)
            return no_memory(err);
    }
    view->reply->peer = (struct charle_array){.items = list, .count = figures->sender_count, .has = true};
    view->reply->hints_sent = figures->sent;
    view->reply->hints_refused = figures->refused;
    return CHARLE_OK;
}

static enum charle_err add_standbys(const struct overview *view, struct charle_error *err)
{
    struct ch_standby_figures *figures = charle_arena_array(view->arena, CH_STANDBYS_MAX, sizeof(*figures));
    if (!figures)
        return no_memory(err);
    size_t count = ch_standbys_figures(view->engine->standbys, figures);
    struct charle_standby_state *standbys = charle_arena_array(view->arena, count, sizeof(*standbys));
    const struct charle_standby_state **list = charle_arena_array(view->arena, count, sizeof(*list));
    if (!standbys || !list)
        return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        standbys[i] = (struct charle_standby_state){.name = charle_str(figures[i].name),
                                                    .is_used = figures[i].is_used,
                                                    .lag_us = figures[i].lag_us,
                                                    .reads = figures[i].reads,
                                                    .passed_on = figures[i].passed_on};
        standbys[i].problem.has = figures[i].problem[0] != '\0';
        standbys[i].problem.value = charle_str(figures[i].problem);
        list[i] = &standbys[i];
    }
    view->reply->standby = (struct charle_array){.items = list, .count = count, .has = true};
    return CHARLE_OK;
}

// --- who holds up others -------------------------------------------------------------------------------------------

// Those who wait themselves are left out: what they hold is held up by whoever is in the list. Of sessions of other users PostgreSQL may show
// the number alone.
static const char blockers_sql[] =
    "select b.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''), coalesce(a.state, ''), "
    "(extract(epoch from clock_timestamp() - a.xact_start) * 1000000)::int8, count(distinct w.pid), "
    "coalesce(max(extract(epoch from clock_timestamp() - w.query_start) * 1000000), 0)::int8 "
    "from pg_stat_activity w cross join lateral unnest(pg_blocking_pids(w.pid)) as b(pid) left join pg_stat_activity a on a.pid = b.pid "
    "where w.datname = current_database() and w.wait_event_type = 'Lock' and a.wait_event_type is distinct from 'Lock' "
    "group by 1, 2, 3, 4, 5 order by 6 desc, 1 limit $1::int8";

static enum charle_err read_blocker(const struct overview *view, struct charle_rows *rows, struct charle_blocker *out, struct charle_error *err)
{
    static const enum charle_type types[] = {CHARLE_TYPE_INT4, CHARLE_TYPE_TEXT, CHARLE_TYPE_TEXT, CHARLE_TYPE_TEXT,
                                             CHARLE_TYPE_INT8, CHARLE_TYPE_INT8, CHARLE_TYPE_INT8};
    enum { COUNT = sizeof(types) / sizeof(types[0]) };
    struct charle_value values[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        enum charle_err rc = charle_rows_value(rows, i, types[i], false, &values[i], err);
        if (rc)
            return rc;
    }
    *out = (struct charle_blocker){.pid = values[0].int4,
                                   .user = charle_arena_str(view->arena, values[1].text),
                                   .application = charle_arena_str(view->arena, values[2].text),
                                   .state = charle_arena_str(view->arena, values[3].text),
                                   .open_us = {values[4].int8, !values[4].is_null},
                                   .waiting = values[5].int8,
                                   .waited_us = values[6].int8};
    return out->user.ptr && out->application.ptr && out->state.ptr ? CHARLE_OK : no_memory(err);
}

static enum charle_err add_blockers(const struct overview *view, struct charle_error *err)
{
    struct charle_blocker *blockers = charle_arena_array(view->arena, view->limit, sizeof(*blockers));
    const struct charle_blocker **list = charle_arena_array(view->arena, view->limit, sizeof(*list));
    const struct charle_value limit = charle_int8((int64_t)view->limit);
    struct charle_rows *rows = NULL;
    size_t count = 0;
    if (!blockers || !list)
        return no_memory(err);
    enum charle_err rc = charle_query(view->db, blockers_sql, &limit, 1, &rows, err);
    while (rc == CHARLE_OK && count < view->limit && (rc = charle_rows_next(rows, err)) == CHARLE_OK) {
        rc = read_blocker(view, rows, &blockers[count], err);
        list[count] = &blockers[count];
        count += rc == CHARLE_OK;
    }
    charle_rows_close(rows);
    view->reply->blocker = (struct charle_array){.items = list, .count = count, .has = true};
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// --- the log -------------------------------------------------------------------------------------------------------

// Counting would read it all; what the statistics say is near enough to see it grow.
static enum charle_err add_log(const struct overview *view, struct charle_error *err)
{
    struct charle_rows *rows = NULL;
    struct charle_value entries, bytes;
    enum charle_err rc = charle_query(view->db,
                                      "select sum(coalesce(s.n_live_tup, 0))::bigint, sum(pg_total_relation_size(c.oid))::bigint "
                                      "from pg_class c left join pg_stat_all_tables s on s.relid = c.oid "
                                      "where c.oid in ('charle.change'::regclass, 'charle.touched'::regclass)",
                                      NULL, 0, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 0, CHARLE_TYPE_INT8, false, &entries, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 1, CHARLE_TYPE_INT8, false, &bytes, err);
    if (rc == CHARLE_OK) {
        view->reply->log_entries = entries.int8;
        view->reply->log_bytes = bytes.int8;
    }
    charle_rows_close(rows);
    return rc;
}

enum charle_err ch_overview(struct charle_context *context, const void *request_ptr, void *reply, struct charle_error *err)
{
    const struct charle_server_request *request = request_ptr;
    struct ch_engine *engine = ((const struct ch_runtime *)context->runtime)->engine;
    struct overview view = {.engine = engine, .db = context->db, .arena = context->arena, .limit = LIMIT_DEFAULT, .reply = reply};
    enum charle_err rc = check_operator(context, engine->options.operators_scope, err);
    if (rc)
        return rc;
    if (request->limit.has && (request->limit.value < 1 || request->limit.value > LIMIT_MAX))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "limit must be 1 to %d", LIMIT_MAX);
    if (request->limit.has)
        view.limit = request->limit.value;
    const struct ch_fold_figures folds = ch_fold_figures(engine->fold);
    *view.reply = (struct charle_server_reply){
        .version = CHARLE_STR(CH_SERVER_VERSION),
        .uptime_us = ch_clock_mono_us() - engine->options.start_us,
        .connections = (uint32_t)charle_rpc_server_connections(engine->rpc),
        .live_streams = atomic_load(&engine->figures.live_streams),
        .fold_transactions = {folds.shared, true},
        .folded_calls = {folds.calls, true},
    };
    rc = add_clients(&view, err);
    if (rc == CHARLE_OK)
        rc = add_peers(&view, err);
    if (rc == CHARLE_OK)
        rc = add_standbys(&view, err);
    if (rc == CHARLE_OK)
        rc = add_blockers(&view, err);
    return rc ? rc : add_log(&view, err);
}
