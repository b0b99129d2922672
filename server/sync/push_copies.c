// Calls that copies of a replica have as well: each takes effect once, whoever brings it and under whatever number.
//
// A replica whose file was copied goes on as a new device when it finds that another one uses its numbers. Some of the calls that waited in it then
// wait in its copy too, and either may have sent them, or may yet. So from then on each of them says under whose name it was made (Call.origin). That
// name and the seed of the call, a random number that it keeps wherever it goes, are the call's identity. The server knows what became of it
//
//   from charle.verdict   when the device that still goes by that name brought it
//   from charle.taken     when another one did
//
// and answers with that, instead of running it again. The device that goes by the name knows nothing of copies: its row counts the calls that others
// brought in its name (copied_calls), and only when there are some its own calls are looked for in charle.taken. All others cost nothing.
//
// Whoever runs such a call holds the row of the device under whose name it was made, so two of them cannot run at the same time.
//
// What the server remembers is bounded (charle.forget_calls). A replica says up to which number of its old name it knows the verdicts; when the
// server has forgotten numbers behind that one, it cannot tell whether the call was among them, and leaves it to a person.
#include "server/sync/push_parts.h"

#include "base/limits.h"

#define SEEDS_TAKEN_SQL "select seed, kind, code, text from charle.taken where origin = $1 and seed = any($2::int8[])"
#define SEEDS_JUDGED_SQL                                                                                                                                 \
    "select u.seed, v.kind, v.code, v.text from charle.verdict v cross join lateral unnest(coalesce(v.seeds, array[v.seed])) as u(seed) "                \
    "where v.device_id = $1 and v.kind <> 4 and u.seed = any($2::int8[])"

static const char again_text[] = "a copy of this replica had sent this call already, and it was decided then";
static const char forgotten_text[] = "this replica was copied so long ago that the server cannot tell any more whether this call was sent by the other one; "
                                     "look at what it was to change, and make it again if it is missing";
static const char crowded_text[] = "more calls were sent by copies of one replica than the server keeps account of; look at what this one was to change, "
                                   "and make it again if it is missing";

bool ch_push_is_settled(const struct ch_push *push, size_t index)
{
    return push->settled && push->settled[index];
}

// Is the call of this batch one that was made under that name? Without a name: under that of the device itself.
static bool is_of(const struct ch_push *push, size_t index, const struct charle_str *origin)
{
    const struct charle_opt_text *given = &ch_push_call(push, index)->origin;
    return origin ? given->has && charle_str_equal(given->value, *origin) : !given->has;
}

static enum charle_err no_room(const struct ch_push *push, struct charle_error *err)
{
    return charle_fail(err, CHARLE_NO_MEMORY, "no memory for %zu calls of copied replicas", push->request->call.count);
}

static void settle(struct ch_push *push, size_t index, int32_t kind, struct charle_opt_int4 code, struct charle_str text)
{
    CHARLE_ASSERT(push->settled && index >= push->first_new);
    push->settled[index] = true;
    push->verdicts[index] = (struct charle_verdict){.sequence = ch_push_call(push, index)->sequence, .kind = kind, .is_repeat = {true, true}};
    if (kind == CHARLE_APPLIED)
        return;
    push->verdicts[index].code = code;
    push->verdicts[index].text = (struct charle_opt_text){text, true};
}

static enum charle_err take_found(struct ch_push *push, struct charle_rows *rows, const struct charle_str *origin, struct charle_error *err)
{
    struct charle_value seed, kind, code, text;
    struct charle_str words = charle_str(again_text);
    enum charle_err rc = charle_rows_value(rows, 0, CHARLE_TYPE_INT8, false, &seed, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 1, CHARLE_TYPE_INT4, false, &kind, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 2, CHARLE_TYPE_INT4, false, &code, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 3, CHARLE_TYPE_TEXT, false, &text, err);
    if (rc == CHARLE_OK && !text.is_null) {
        words = charle_arena_str(push->arena, text.text);
        if (!words.ptr)
            rc = no_room(push, err);
    }
    for (size_t i = push->first_new; rc == CHARLE_OK && i < push->request->call.count; i++) {
        if (ch_push_call(push, i)->seed == (uint64_t)seed.int8 && is_of(push, i, origin))
            settle(push, i, kind.int4, (struct charle_opt_int4){code.int4, !code.is_null}, words);
    }
    return rc;
}

// Settles those of the new calls made under a name whose seeds a statement finds.
static enum charle_err find(struct ch_push *push, const char *sql, const struct charle_str *origin, struct charle_error *err)
{
    size_t count = 0;
    int64_t *seeds = charle_arena_array(push->arena, push->request->call.count, sizeof(*seeds));
    struct charle_rows *rows = NULL;
    if (!seeds)
        return no_room(push, err);
    for (size_t i = push->first_new; i < push->request->call.count; i++) {
        if (is_of(push, i, origin) && !ch_push_is_settled(push, i))
            seeds[count++] = (int64_t)ch_push_call(push, i)->seed;
    }
    CHARLE_ASSERT(count <= push->request->call.count);
    if (!count)
        return CHARLE_OK;
    const struct charle_value params[] = {charle_text(origin ? *origin : push->request->device_id), ch_push_array(CHARLE_TYPE_INT8, seeds, count)};
    enum charle_err rc = charle_query(push->db, sql, params, 2, &rows, err);
    while (rc == CHARLE_OK && (rc = charle_rows_next(rows, err)) == CHARLE_OK)
        rc = take_found(push, rows, origin, err);
    charle_rows_close(rows);
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

// The device under whose name calls were made.
struct origin {
    struct charle_str id;
    int64_t forgotten, copied_calls;
};

static enum charle_err read_origin(struct ch_push *push, struct charle_rows *rows, struct origin *out, struct charle_error *err)
{
    struct charle_value principal, id, forgotten, copied;
    enum charle_err rc = charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &principal, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 1, CHARLE_TYPE_TEXT, false, &id, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 2, CHARLE_TYPE_INT8, false, &forgotten, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_value(rows, 3, CHARLE_TYPE_INT8, false, &copied, err);
    if (rc == CHARLE_OK && (!charle_str_equal(principal.text, push->options->peer.principal) || !charle_str_equal(id.text, push->options->peer.id)))
        rc = charle_fail(err, CHARLE_PERMISSION_DENIED, "calls were made as device %.*s, which belongs to another person", CHARLE_FMT(out->id));
    if (rc == CHARLE_OK) {
        out->forgotten = forgotten.int8;
        out->copied_calls = copied.int8;
    }
    return rc;
}

// Locks the device's row and marks it as one whose calls others bring. The server may not know it, when it was put back to a time before the device
// came: the mark must be there when it comes again.
static enum charle_err lock_origin(struct ch_push *push, struct origin *out, int64_t count, struct charle_error *err)
{
    const struct charle_value params[] = {charle_text(out->id), charle_text(push->options->peer.principal), charle_text(push->options->peer.id),
                                          charle_int8(count)};
    struct charle_rows *rows = NULL;
    enum charle_err rc = charle_query(push->db,
                                      "insert into charle.device as d (id, principal, principal_id, copied_calls) values ($1, $2, $3, $4) on conflict (id) "
                                      "do update set copied_calls = d.copied_calls + excluded.copied_calls "
                                      "returning principal, principal_id, least(forgotten, last_sequence), copied_calls",
                                      params, 4, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    if (rc == CHARLE_OK)
        rc = read_origin(push, rows, out, err);
    charle_rows_close(rows);
    return rc;
}

// What cannot be told any more is for a person to decide.
static void refuse_unknown(struct ch_push *push, const struct origin *origin)
{
    for (size_t i = push->first_new; i < push->request->call.count; i++) {
        const struct charle_call *call = ch_push_call(push, i);
        bool is_crowded = origin->copied_calls > CH_COPIED_CALLS_MAX;
        bool is_forgotten = (call->origin_after.has ? call->origin_after.value : 0) < origin->forgotten;
        if (!is_of(push, i, &origin->id) || ch_push_is_settled(push, i) || !(is_crowded || is_forgotten))
            continue;
        settle(push, i, CHARLE_REJECTED, (struct charle_opt_int4){CHARLE_DATA_LOSS, true}, charle_str(is_crowded ? crowded_text : forgotten_text));
        push->verdicts[i].is_repeat.has = false;
    }
}

static enum charle_err find_of_origin(struct ch_push *push, struct charle_str id, struct charle_error *err)
{
    struct origin origin = {.id = id};
    int64_t count = 0;
    for (size_t i = push->first_new; i < push->request->call.count; i++)
        count += is_of(push, i, &id);
    CHARLE_ASSERT(count > 0); // next_origin found the name at one of them
    enum charle_err rc = lock_origin(push, &origin, count, err);
    if (rc == CHARLE_OK)
        rc = find(push, SEEDS_TAKEN_SQL, &id, err);
    if (rc == CHARLE_OK)
        rc = find(push, SEEDS_JUDGED_SQL, &id, err);
    if (rc == CHARLE_OK)
        refuse_unknown(push, &origin);
    return rc;
}

// The smallest name behind `after` under which calls of this batch were made. In order, so that two batches do not wait for each other.
static const struct charle_str *next_origin(const struct ch_push *push, const struct charle_str *after)
{
    const struct charle_str *next = NULL;
    for (size_t i = push->first_new; i < push->request->call.count; i++) {
        const struct charle_opt_text *origin = &ch_push_call(push, i)->origin;
        if (origin->has && (!after || charle_str_compare(origin->value, *after) > 0) && (!next || charle_str_compare(origin->value, *next) < 0))
            next = &origin->value;
    }
    CHARLE_ASSERT(!next || !after || charle_str_compare(*next, *after) > 0); // rows of devices are locked in one order
    return next;
}

enum charle_err ch_push_find_copied(struct ch_push *push, struct charle_error *err)
{
    const struct charle_str *origin = next_origin(push, NULL);
    enum charle_err rc = CHARLE_OK;
    push->settled = NULL;
    if ((!origin && !push->copied_calls))
        return CHARLE_OK;
    push->settled = charle_arena_array(push->arena, push->request->call.count, sizeof(*push->settled));
    if (!push->settled)
        return no_room(push, err);
    if (push->copied_calls)
        rc = find(push, SEEDS_TAKEN_SQL, NULL, err);
    for (; rc == CHARLE_OK && origin; origin = next_origin(push, origin))
        rc = find_of_origin(push, *origin, err);
    return rc;
}

// --- remembering ----------------------------------------------------------------------------------------------------------

// The columns of charle.taken, for one statement.
struct takings {
    struct charle_str *origins, *texts;
    int64_t *seeds;
    int32_t *kinds, *codes;
    size_t count;
};

static void add_taking(struct takings *takings, const struct charle_call *call, const struct charle_verdict *verdict)
{
    size_t at = takings->count++;
    CHARLE_ASSERT(call->origin.has && verdict->kind && verdict->kind != CHARLE_PARKED);
    takings->origins[at] = call->origin.value;
    takings->seeds[at] = (int64_t)call->seed;
    takings->kinds[at] = (int32_t)verdict->kind;
    takings->codes[at] = verdict->code.has ? verdict->code.value : 0;
    takings->texts[at] = verdict->text.has ? verdict->text.value : CHARLE_STR("");
}

enum charle_err ch_push_store_copied(struct ch_push *push, struct charle_error *err)
{
    size_t count = push->request->call.count;
    if (!push->settled || !next_origin(push, NULL))
        return CHARLE_OK;
    struct takings takings = {charle_arena_array(push->arena, count, sizeof(struct charle_str)),
                              charle_arena_array(push->arena, count, sizeof(struct charle_str)),
                              charle_arena_array(push->arena, count, sizeof(int64_t)),
                              charle_arena_array(push->arena, count, sizeof(int32_t)),
                              charle_arena_array(push->arena, count, sizeof(int32_t)), 0};
    if (!takings.origins || !takings.texts || !takings.seeds || !takings.kinds || !takings.codes)
        return no_room(push, err);
    for (size_t i = push->first_new; i < count; i++) {
        // What was parked has not been decided: it comes again.
        if (ch_push_call(push, i)->origin.has && !ch_push_is_settled(push, i) && push->verdicts[i].kind != CHARLE_PARKED)
            add_taking(&takings, ch_push_call(push, i), &push->verdicts[i]);
    }
    CHARLE_ASSERT(takings.count <= count);
    if (!takings.count)
        return CHARLE_OK;
    const struct charle_value params[] = {
        ch_push_array(CHARLE_TYPE_TEXT, takings.origins, takings.count), ch_push_array(CHARLE_TYPE_INT8, takings.seeds, takings.count),
        ch_push_array(CHARLE_TYPE_INT4, takings.kinds, takings.count), ch_push_array(CHARLE_TYPE_INT4, takings.codes, takings.count),
        ch_push_array(CHARLE_TYPE_TEXT, takings.texts, takings.count)};
    return charle_exec(push->db,
                       "insert into charle.taken (origin, seed, kind, code, text) select u.origin, u.seed, u.kind, nullif(u.code, 0), nullif(u.text, '') "
                       "from unnest($1::text[], $2::int8[], $3::int4[], $4::int4[], $5::text[]) as u(origin, seed, kind, code, text)",
                       params, 5, NULL, err);
}
