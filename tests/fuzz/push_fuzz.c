// Requests of charle.Sync with fields changed, missing, doubled or foreign, by somebody who is signed in, against the server's own functions on a real
// PostgreSQL: Open with the shape of another schema, Push, Hash, Copy and Pull, and those of
// charle.Files.
//
// Never a crash or a leak; what is refused is refused with a sentence, and never as a fault of the server's own: INTERNAL is a finding. All that a
// request wrote is rolled back before the next.
//
// One database for all inputs. The first byte says which request it is; the others make it, and change it.
#include "fuzz/fuzz.h"
#include "fuzz/mutate.h"
#include "integration/push/twin.h"

#include "msg/json.h"
#include "msg/wire.h"
#include "server/sync/file.h"
#include "server/sync/skew.h"
#include "sync/file.h"
#include "sync/hash.h"
#include "sync/shape.h"

#include <stdio.h>
#include <string.h>

#define DEVICE "DEVICEANNDEVICEANNDEVICEAN"

enum { CALLS_MAX = 6, TIMES_MAX = 4 };

struct caller {
    struct twin twin;
    struct charle_db *db;
    const struct ch_sync *sync;
    struct charle_arena arena; // of one input
    struct fuzz_input in;
};

static const struct ch_sync_peer ann = {.principal = CHARLE_STR_INIT("person"), .id = CHARLE_STR_INIT("ann")};

static struct caller *the_caller(void)
{
    static struct caller caller;
    if (caller.db)
        return &caller;
    twin_open(&caller.twin);
    twin_exec(&caller.twin, "insert into job (id, title, place, created_at, updated_at) select 'job' || i, 'Job ' || i, 'north', now(), now() from generate_series(1, 9) i;"
                            "insert into step (id, job_id, title) select 'step' || i, 'job' || i, 'Step' from generate_series(1, 9) i");
    caller.db = caller.twin.servers[TWIN_SETS].db;
    caller.sync = caller.twin.servers[TWIN_SETS].sync;
    return &caller;
}

// What a request may end as.
static void expect(enum charle_err rc, const struct charle_error *err)
{
    if (rc)
        CHARLE_ASSERT(err->text[0]);
    if (rc == CHARLE_INTERNAL || rc == CHARLE_UNKNOWN)
        fprintf(stderr, "a fault of the server's own: %s\n", err->text);
    CHARLE_ASSERT(rc != CHARLE_INTERNAL && rc != CHARLE_UNKNOWN);
}

// The request after the lies; false: no server would have read it.
static bool read_changed(struct caller *c, const struct charle_message *type, const void *honest, void *out)
{
    struct charle_error err = {0};
    struct charle_buf bytes = {0};
    charle_message_write(type, honest, &bytes);
    if (fuzz_choose(&c->in, 8))
        fuzz_change(&c->in, type, &bytes);
    enum charle_err rc = charle_message_read(type, charle_arena_bytes(&c->arena, charle_buf_bytes(&bytes)), &c->arena, out, &err);
    charle_buf_deinit(&bytes);
    expect(rc, &err);
    return rc == CHARLE_OK;
}

// --- Push -----------------------------------------------------------------------------------------------------------------

// The request of a call, as JSON; the fuzzer changes its bytes.
static const struct {
    const char *method, *json;
} templates[] = {
    {"push.JobService/Create", "{\"title\":\"new\",\"place\":\"north\",\"labels\":[\"a\"]}"},
    {"push.JobService/Update", "{\"key\":{\"id\":\"job1\"},\"set\":{\"title\":\"other\",\"hours\":5,\"state\":\"open\"},\"base\":{\"title\":\"Job 1\",\"hours\":0,\"state\":\"new\"}}"},
    {"push.JobService/Update", "{\"key\":{\"id\":\"job2\"},\"set\":{\"notes\":\"a\\nb\",\"budget\":\"12.5\",\"labels\":[\"x\"]},\"base\":{\"labels\":[]}}"},
    {"push.JobService/Delete", "{\"key\":{\"id\":\"job3\"}}"},
    {"push.StepService/Create", "{\"job_id\":\"job4\",\"title\":\"s\",\"rank\":3}"},
    {"push.PersonService/Update", "{\"key\":{\"id\":\"bob\"},\"set\":{\"name\":\"Bobby\"}}"},
};

static struct charle_bytes make_request(struct caller *c, struct charle_str *out_method)
{
    struct charle_error err = {0};
    struct charle_buf bytes = {0};
    unsigned which = fuzz_choose(&c->in, sizeof(templates) / sizeof(templates[0]));
    const struct charle_method *method = charle_method_find(&c->twin.methods, charle_str(templates[which].method));
    CHARLE_ASSERT(method);
    void *request = charle_arena_alloc(&c->arena, method->request->size);
    enum charle_err rc = charle_message_read_json(method->request, charle_str(templates[which].json), &c->arena, request, &err);
    if (rc)
        fprintf(stderr, "%s: %s\n", templates[which].method, err.text);
    CHARLE_ASSERT(rc == CHARLE_OK);
    charle_message_write(method->request, request, &bytes);
    if (fuzz_choose(&c->in, 4))
        fuzz_change(&c->in, method->request, &bytes);
    struct charle_bytes kept = charle_arena_bytes(&c->arena, charle_buf_bytes(&bytes));
    charle_buf_deinit(&bytes);
    *out_method = method->name;
    return kept;
}

static void make_push(struct caller *c, struct charle_push_request *out)
{
    size_t count = 1 + fuzz_choose(&c->in, CALLS_MAX);
    const struct charle_call **list = charle_arena_array(&c->arena, count, sizeof(*list));
    uint64_t hash = 0;
    for (size_t i = 0; i < count; i++) {
        struct charle_call *call = CHARLE_ARENA_NEW(&c->arena, struct charle_call);
        *call = (struct charle_call){.sequence = (int64_t)i + 1, .at = {c->twin.now_us}, .seed = i + 1};
        call->request = make_request(c, &call->method);
        const struct ch_chain_link link = {call->sequence, call->method, call->request, call->at.us, call->seed};
        call->hash = hash = ch_chain_hash(hash, &link);
        list[i] = call;
    }
    *out = (struct charle_push_request){.device_id = CHARLE_STR(DEVICE), .schema_hash = push_schema.hash, .call = {.items = list, .count = count, .has = true}};
}

// In a transaction of the caller's, which is how a push is when it shares one; so all of it can be taken back.
static void push(struct caller *c, int times)
{
    struct charle_error err = {0};
    struct charle_push_request honest, request;
    struct charle_push_reply reply;
    struct ch_push_fold fold;
    const struct ch_push_options options = {.peer = ann, .fold = &fold, .crud = ch_crud_run, .crud_set = fuzz_choose(&c->in, 2) ? ch_crud_run_set : NULL};
    enum charle_err rc = charle_begin(c->db, NULL, &err);
    CHARLE_ASSERT(rc == CHARLE_OK);
    make_push(c, &honest);
    for (int i = 0; i < times && !rc; i++) {
        if (!read_changed(c, &charle_push_request_message, &honest, &request))
            continue;
        rc = ch_push(c->sync, c->db, &options, &request, &c->arena, &reply, &err);
        expect(rc, &err);
        if (!rc)
            CHARLE_ASSERT(reply.verdict.count == request.call.count);
    }
    CHARLE_ASSERT(charle_rollback(c->db, &err) == CHARLE_OK);
}

// --- Open -----------------------------------------------------------------------------------------------------------------

static struct charle_bytes make_shape(struct caller *c)
{
    struct charle_error err = {0};
    struct charle_buf shape = {0};
    CHARLE_ASSERT(ch_shape_write(&push_schema, &shape, &err) == CHARLE_OK);
    fuzz_change(&c->in, &charle_schema_shape_message, &shape);
    struct charle_bytes kept = charle_arena_bytes(&c->arena, charle_buf_bytes(&shape));
    charle_buf_deinit(&shape);
    return kept;
}

static enum charle_err ignore(void *ctx, struct charle_bytes message, struct charle_error *err)
{
    (void)err;
    *(size_t *)ctx += message.len;
    return CHARLE_OK;
}

// What a replica of that shape asks for next.
static void read_with(struct caller *c, const struct ch_sync *sync)
{
    static const char *const scopes[] = {"team", "lead", "spot:east", "place:north"};
    struct charle_error err = {0};
    struct charle_hash_reply hash_reply;
    size_t sent = 0;
    struct charle_str scope = charle_str(scopes[fuzz_choose(&c->in, 4)]);
    uint32_t table = 1 + fuzz_choose(&c->in, 5);
    uint64_t schema = ch_sync_schema_hash(sync);
    const struct charle_hash_request hash = {.scope = scope, .table = table, .buckets = fuzz_choose(&c->in, 20), .schema_hash = schema};
    struct charle_hash_request hash_request;
    const struct charle_copy_request copy = {.scope = scope, .table = table, .schema_hash = schema, .after_key = {CHARLE_STR("job2"), fuzz_choose(&c->in, 2)}};
    struct charle_copy_request copy_request;
    if (read_changed(c, &charle_hash_request_message, &hash, &hash_request))
        expect(ch_hash(sync, c->db, &ann, &hash_request, &c->arena, &hash_reply, &err), &err);
    if (read_changed(c, &charle_copy_request_message, &copy, &copy_request))
        expect(ch_copy(sync, c->db, &ann, &copy_request, ignore, &sent, &err), &err);
}

static void open_device(struct caller *c, bool has_shape)
{
    struct charle_error err = {0};
    struct ch_skews *skews = NULL;
    const struct ch_sync *sync = NULL;
    struct charle_open_reply reply;
    struct charle_open_request request, honest = {.device_id = CHARLE_STR(DEVICE), .schema_hash = push_schema.hash, .last_sequence = {3, true}, .last_hash = {7, true}};
    CHARLE_ASSERT(ch_skews_new(c->sync, &c->twin.methods, &skews, &err) == CHARLE_OK);
    if (has_shape) {
        honest.schema_hash++;
        honest.shape = (struct charle_opt_bytes){make_shape(c), true};
        honest.shape_hash = (struct charle_opt_uint8){ch_shape_hash(honest.shape.value), true};
    }
    CHARLE_ASSERT(charle_begin(c->db, NULL, &err) == CHARLE_OK);
    enum charle_err rc = CHARLE_DONE;
    bool is_read = !has_shape ? read_changed(c, &charle_open_request_message, &honest, &request) : (request = honest, true);
    if (is_read) {
        rc = ch_skews_meet(skews, c->db, &request, &sync, &err);
        expect(rc, &err);
    }
    if (!rc && sync)
        expect(ch_sync_open(sync, c->db, &ann, &request, (struct charle_ts){c->twin.now_us}, &c->arena, &reply, &err), &err);
    CHARLE_ASSERT(charle_rollback(c->db, &err) == CHARLE_OK);
    if (!rc && sync)
        read_with(c, sync);
    if (!rc)
        ch_skews_release(skews, sync);
    ch_skews_free(skews);
}

// --- Pull -----------------------------------------------------------------------------------------------------------------

static void pull(struct caller *c)
{
    static const struct charle_cursor cursors[] = {{CHARLE_STR_INIT("team"), 1, 2}, {CHARLE_STR_INIT("place:north"), INT64_C(7) << 33, 3},
                                                   {CHARLE_STR_INIT("elsewhere"), 0, 0}};
    const struct charle_cursor *list[] = {&cursors[0], &cursors[1], &cursors[2]};
    struct charle_error err = {0};
    struct ch_positions positions;
    size_t sent = 0;
    struct charle_pull_request request;
    const struct charle_pull_request honest = {.cursor = {.items = list, .count = 3, .has = true}, .schema_hash = push_schema.hash, .device_id = CHARLE_STR(DEVICE)};
    if (read_changed(c, &charle_pull_request_message, &honest, &request))
        expect(ch_pull(c->sync, c->db, &ann, &request, &c->arena, ignore, &sent, &positions, &err), &err);
}

// --- Files ----------------------------------------------------------------------------------------------------------------

// A small file is offered, sent and asked for; these functions have transactions of their own, so what they leave is deleted.
static void send_file(struct caller *c)
{
    static const uint8_t content[] = "a picture";
    uint8_t hash[CH_FILE_HASH_SIZE];
    struct charle_error err = {0};
    const struct ch_file_limits limits = {.size_max = 1 << 20, .store_max = 4 << 20};
    ch_file_hash(charle_bytes(content, sizeof(content)), hash);
    const struct charle_bytes name = charle_bytes(hash, sizeof(hash));
    const struct charle_file_offer offer = {.hash = name, .size = sizeof(content)};
    const struct charle_file_piece piece = {.hash = name, .data = charle_bytes(content, sizeof(content)), .data_hash = name};
    const struct charle_file_request get = {.hash = name, .size = 1000};
    struct charle_file_offer offer_request;
    struct charle_file_piece piece_request, piece_reply;
    struct charle_file_request get_request;
    struct charle_file_offer_reply reply;
    if (read_changed(c, &charle_file_offer_message, &offer, &offer_request))
        expect(ch_file_offer(c->sync, c->db, &ann, &limits, &offer_request, &reply, &err), &err);
    if (read_changed(c, &charle_file_piece_message, &piece, &piece_request))
        expect(ch_file_put(c->sync, c->db, &ann, &piece_request, &reply, &err), &err);
    if (read_changed(c, &charle_file_request_message, &get, &get_request))
        expect(ch_file_get(c->sync, c->db, &ann, &get_request, &c->arena, &piece_reply, &err), &err);
    CHARLE_ASSERT(charle_exec_script(c->db, "delete from charle.file_holder; delete from charle.piece; delete from charle.file; delete from charle.content", &err) == CHARLE_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct caller *c = the_caller();
    c->in = (struct fuzz_input){data, data + size};
    unsigned what = fuzz_choose(&c->in, 9);
    if (what < 4)
        push(c, 1 + (int)fuzz_choose(&c->in, TIMES_MAX));
    else if (what == 4)
        pull(c);
    else if (what == 5)
        read_with(c, c->sync);
    else if (what == 8)
        send_file(c);
    else
        open_device(c, what == 7);
    charle_arena_deinit(&c->arena);
    c->arena = (struct charle_arena){0};
    return 0;
}
