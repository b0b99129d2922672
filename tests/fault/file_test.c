// Attachments end to end: a real server, real replicas, kills at both ends, and what must be refused.
//
//   file_test [CASE]      every case by default
#include "base/arena.h"
#include "base/err.h"
#include "call/method.h"
#include "charle/files.charle.h"
#include "charleos.schema.charle.h"
#include "charleos/core.charle.h"
#include "db/db.h"
#include "fault/bench.h"
#include "sync/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 256 << 10, SETTLE_MS = 60000 };

// Bytes that differ from file to file.
static uint8_t *make_bytes(size_t size, unsigned seed)
{
    uint8_t *bytes = malloc(size + 1);
    uint8_t key[randombytes_SEEDBYTES] = {0};
    memcpy(key, &seed, sizeof(seed));
    randombytes_buf_deterministic(bytes, size + 1, key);
    return bytes;
}

static struct charle_attachment_ref put(struct charle_client *client, size_t size, unsigned seed)
{
    struct charle_error err = {0};
    struct charle_attachment_ref ref;
    uint8_t *bytes = make_bytes(size, seed);
    const struct charle_attachment_source source = {.bytes = bytes, .size = size, .media_type = "application/x-test"};
    must(charle_attachment_put(client, &source, &ref, &err), &err, "put");
    check(ref.size == (int64_t)size, "put says another size");
    free(bytes);
    return ref;
}

static void check_same(int fd, size_t size, unsigned seed)
{
    uint8_t *expected = make_bytes(size, seed), *got = malloc(size + 1);
    size_t at = 0;
    for (ssize_t n; at <= size && (n = read(fd, got + at, size + 1 - at)) > 0;)
        at += (size_t)n;
    check(at == size && memcmp(expected, got, size) == 0, "the file that was fetched is another one");
    free(expected);
    free(got);
    close(fd);
}

static int get(struct charle_client *client, const char *hash, size_t size, unsigned seed, struct charle_error *err)
{
    int fd = -1;
    const struct charle_attachment_options options = {.timeout_ms = SETTLE_MS};
    int rc = charle_attachment_get(client, hash, &options, NULL, &fd, err);
    if (!rc)
        check_same(fd, size, seed);
    return rc;
}

static void must_sync(struct charle_client *client)
{
    struct charle_error err = {0};
    must(charle_client_sync(client, SETTLE_MS, &err), &err, "sync");
}

// A row that refers to the file, made by this client's person; visibility "internal", on a task.
static int refer(struct bench *bench, struct charle_client *client, const char *hash, const char *file_name, struct charle_client_outcome *outcome,
                 bool is_online, struct charle_error *err)
{
    struct charle_arena arena = {0};
    struct charle_client_status status;
    struct charleos_attachment_patch reply;
    struct charle_client_outcome own;
    const struct charle_client_call_options options = {.outcome = outcome ? outcome : &own, .is_online = is_online};
    charle_client_status(client, &status);
    const struct charleos_attachment_insert request = {
        .subject_type = CHARLEOS_SUBJECT_TYPE_TASK, .subject_id = charle_str(bench->task), .client_id = charle_str(bench->client),
        .file_name = charle_str(file_name), .content_type = CHARLE_STR("application/x-test"), .size_bytes = 1, .storage_key = CHARLE_STR("charle"),
        .sha256 = CHARLE_STR("0000000000000000000000000000000000000000000000000000000000000000"),
        .uploaded_by_user_id = {charle_str(status.principal_id), true}, .content = {charle_str(hash), true}};
    int rc = charle_client_call(client, charle_client_method(client, "charleos.AttachmentService/Create"), &request, &arena, &reply, &options, err);
    charle_arena_deinit(&arena);
    return rc;
}

static long count_rows(struct bench *bench, const char *hash)
{
    char sql[200];
    snprintf(sql, sizeof(sql), "select count(*) from attachment where content = '%s'", hash);
    return rig_number(bench->pg, sql);
}

static bool find_entry(void *ctx, const struct charle_attachment_entry *entry)
{
    struct {
        const char *hash;
        struct charle_attachment_entry entry;
        char problem[240];
        bool found;
    } *look = ctx;
    if (strcmp(entry->hash, look->hash) != 0)
        return true;
    look->entry = *entry;
    snprintf(look->problem, sizeof(look->problem), "%s", entry->problem ? entry->problem : "");
    look->found = true;
    return false;
}

// 0: not here.
static enum charle_attachment_state state_of(struct charle_client *client, const char *hash, char problem[240])
{
    struct charle_error err = {0};
    struct {
        const char *hash;
        struct charle_attachment_entry entry;
        char problem[240];
        bool found;
    } look = {.hash = hash};
    must(charle_attachments(client, find_entry, &look, &err), &err, "list");
    if (problem)
        memcpy(problem, look.problem, 240);
    return look.found ? look.entry.state : 0;
}

static struct charle_client *open_ready(struct bench *bench, const char *name, const char *token)
{
    struct charle_client *client = rig_client(&bench->rig, name, token);
    must_sync(client);
    return client;
}

// --- cases --------------------------------------------------------------------------------------------------------------

// Added and mentioned offline; the file goes first, another person who sees the row fetches it. Sizes around the limits of a piece.
static void test_files_go_before_their_calls_and_can_be_fetched(struct bench *bench)
{
    static const size_t sizes[] = {0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 17};
    struct charle_error err = {0};
    struct charle_attachment_ref refs[6];
    struct charle_client *pia = open_ready(bench, "pia-first", bench->pia), *mo = open_ready(bench, "mo-first", bench->mo);
    rig_kill_server(&bench->rig, SIGKILL);
    for (unsigned i = 0; i < 6; i++) {
        refs[i] = put(pia, sizes[i], i);
        must(refer(bench, pia, refs[i].hash, "offline.bin", NULL, false, &err), &err, "refer");
        check(state_of(pia, refs[i].hash, NULL) == CHARLE_ATTACHMENT_UNSENT, "a file was sent without a server");
    }
    rig_start_server(&bench->rig);
    must_sync(pia);
    must_sync(mo);
    for (unsigned i = 0; i < 6; i++) {
        check(count_rows(bench, refs[i].hash) == 1, "the row that refers to a file is not on the server once");
        check(state_of(pia, refs[i].hash, NULL) == CHARLE_ATTACHMENT_HERE, "a file that was sent is not marked as sent");
        must(get(mo, refs[i].hash, sizes[i], i, &err), &err, "fetching as another person");
    }
    struct charle_client_status status;
    charle_client_status(pia, &status);
    check(status.inbox_count == 0 && status.pending_calls == 0, "calls wait, or verdicts came");
    charle_client_close(pia);
    charle_client_close(mo);
}

// A huge file holds only the call that mentions it, and what follows on the same row.
static void test_calls_that_need_no_file_do_not_wait(struct bench *bench)
{
    struct charle_error err = {0};
    struct charle_client_outcome first = {0};
    struct charle_client *pia = open_ready(bench, "pia-free", bench->pia);
    rig_kill_server(&bench->rig, SIGKILL);
    struct charle_attachment_ref huge = put(pia, 64u << 20, 100), small = put(pia, 1000, 101);
    must(refer(bench, pia, huge.hash, "huge.bin", &first, false, &err), &err, "refer");
    must(agency_comment(pia, "beside a huge file", &err), &err, "comment");
    must(refer(bench, pia, small.hash, "small.bin", NULL, false, &err), &err, "refer");
    rig_start_server(&bench->rig);
    must(charle_client_start(pia, &err), &err, "start");
    bool overtook = false;
    for (int i = 0; i < 6000 && !overtook; i++) {
        bool is_there = rig_number(bench->pg, "select count(*) from comment where body = 'beside a huge file'") == 1;
        overtook = is_there && count_rows(bench, small.hash) == 1;
        if (overtook)
            check(count_rows(bench, huge.hash) == 0, "the huge file went first");
        rig_pause(2);
    }
    check(overtook, "a call that needs no file waited for one");
    charle_client_stop(pia);
    must_sync(pia);
    check(count_rows(bench, huge.hash) == 1, "the call with the huge file never came");
    charle_client_close(pia);
}

static void raw_call(struct charle_client *client, const struct charle_method *method, const void *request, void *reply, struct charle_arena *arena, int expected,
                     const char *what)
{
    struct charle_error err = {0};
    const struct charle_client_call_options options = {.is_online = true};
    int rc = charle_client_call(client, method, request, arena, reply, &options, &err);
    if (rc != expected)
        rig_die("%s: %s instead of %s: %s", what, charle_err_name((enum charle_err)rc), charle_err_name((enum charle_err)expected), err.text);
}

static void raw_get(struct charle_client *client, const char *hash, int expected, const char *what)
{
    struct charle_arena arena = {0};
    struct charle_file_piece piece;
    uint8_t bytes[CH_FILE_HASH_SIZE];
    check(ch_file_name_read(charle_str(hash), bytes), "name");
    const struct charle_file_request request = {.hash = charle_bytes(bytes, sizeof(bytes)), .size = PIECE};
    raw_call(client, &charle_files_get_method, &request, &piece, &arena, expected, what);
    charle_arena_deinit(&arena);
}

// Knowing the hash is worth nothing: not to read, not to refer, not to learn that it is there.
static void test_who_may_not_see_a_row_gets_nothing(struct bench *bench)
{
    struct charle_error err = {0};
    struct charle_arena arena = {0};
    struct charle_file_offer_reply reply;
    uint8_t bytes[CH_FILE_HASH_SIZE];
    struct charle_client *pia = open_ready(bench, "pia-rights", bench->pia), *portal = open_ready(bench, "portal", bench->portal);
    struct charle_client *mo = open_ready(bench, "mo-rights", bench->mo);
    struct charle_attachment_ref ref = put(pia, 3 * PIECE, 200), unseen = put(pia, 2 * PIECE, 201);
    must(refer(bench, pia, ref.hash, "secret.bin", NULL, false, &err), &err, "refer");
    must_sync(pia);
    must_sync(mo);
    check(rig_number(bench->pg, "select count(*) from charle.file") >= 2, "files were not sent");
    raw_get(mo, ref.hash, CHARLE_OK, "a colleague reads");
    raw_get(portal, ref.hash, CHARLE_NOT_FOUND, "a client's person reads what is internal");
    raw_get(mo, unseen.hash, CHARLE_NOT_FOUND, "a colleague reads what no row refers to");
    check(get(portal, ref.hash, 0, 0, &err) == CHARLE_NOT_FOUND, "the library hands out what may not be seen");
    // An offer of a file that is here already is answered as if it were not.
    check(ch_file_name_read(charle_str(unseen.hash), bytes), "name");
    const struct charle_file_offer offer = {.hash = charle_bytes(bytes, sizeof(bytes)), .size = unseen.size};
    raw_call(mo, &charle_files_offer_method, &offer, &reply, &arena, CHARLE_OK, "offering by hash alone");
    check(!reply.is_held && reply.next == 0, "knowing the hash is taken for having the file");
    // Referring to it without having sent it: online, and queued.
    check(refer(bench, mo, unseen.hash, "stolen.bin", NULL, true, &err) == CHARLE_FAILED_PRECONDITION, "a stolen reference is taken");
    must(refer(bench, mo, unseen.hash, "stolen later.bin", NULL, false, &err), &err, "refer");
    must_sync(mo);
    check(count_rows(bench, unseen.hash) == 0, "a stolen reference was confirmed");
    // A name that is nowhere.
    char nowhere[CH_FILE_NAME_LEN + 1] = "";
    memset(nowhere, 'a', CH_FILE_NAME_LEN);
    must(refer(bench, mo, nowhere, "dangling.bin", NULL, false, &err), &err, "refer");
    must_sync(mo);
    check(count_rows(bench, nowhere) == 0, "a dangling reference was confirmed");
    struct charle_client_status status;
    charle_client_status(mo, &status);
    check(status.inbox_count == 2, "not both refusals were told");
    // When the row goes, so does the right.
    char sql[200];
    snprintf(sql, sizeof(sql), "delete from attachment where content = '%s'", ref.hash);
    rig_sql(bench->pg, sql);
    raw_get(mo, ref.hash, CHARLE_NOT_FOUND, "a colleague reads after the row went");
    charle_arena_deinit(&arena);
    charle_client_close(pia);
    charle_client_close(mo);
    charle_client_close(portal);
}

// What arrives wrong is not taken: pieces, order, sizes, the whole.
static void test_wrong_bytes_are_not_taken(struct bench *bench)
{
    struct charle_arena arena = {0};
    struct charle_file_offer_reply reply;
    uint8_t hash[CH_FILE_HASH_SIZE], data_hash[CH_FILE_HASH_SIZE], *data = make_bytes(PIECE, 300);
    struct charle_client *mo = open_ready(bench, "mo-wrong", bench->mo);
    ch_file_hash(charle_bytes("something else", 14), hash);
    ch_file_hash(charle_bytes(data, PIECE), data_hash);
    const struct charle_bytes name = charle_bytes(hash, sizeof(hash)), good = charle_bytes(data_hash, sizeof(data_hash));
    struct charle_file_offer offer = {.hash = name, .size = 2 * PIECE};
    struct charle_file_piece piece = {.hash = name, .data = charle_bytes(data, PIECE), .data_hash = good};
    raw_call(mo, &charle_files_put_method, &piece, &reply, &arena, CHARLE_FAILED_PRECONDITION, "a piece before the offer");
    offer.size = (int64_t)2 << 30;
    raw_call(mo, &charle_files_offer_method, &offer, &reply, &arena, CHARLE_TOO_LARGE, "too large");
    offer.size = -1;
    raw_call(mo, &charle_files_offer_method, &offer, &reply, &arena, CHARLE_INVALID_ARGUMENT, "negative");
    offer = (struct charle_file_offer){.hash = charle_bytes(hash, 5), .size = 1};
    raw_call(mo, &charle_files_offer_method, &offer, &reply, &arena, CHARLE_INVALID_ARGUMENT, "short hash");
    offer = (struct charle_file_offer){.hash = name, .size = 2 * PIECE};
    raw_call(mo, &charle_files_offer_method, &offer, &reply, &arena, CHARLE_OK, "offer");
    piece.data_hash = name;
    raw_call(mo, &charle_files_put_method, &piece, &reply, &arena, CHARLE_INVALID_ARGUMENT, "wrong hash of a piece");
    piece.data_hash = good;
    piece.data.len--;
    raw_call(mo, &charle_files_put_method, &piece, &reply, &arena, CHARLE_INVALID_ARGUMENT, "short piece");
    piece.data.len++;
    piece.at = PIECE;
    raw_call(mo, &charle_files_put_method, &piece, &reply, &arena, CHARLE_OK, "too early");
    check(reply.next == 0 && !reply.is_held, "a piece that came too early counts");
    piece.at = 0;
    raw_call(mo, &charle_files_put_method, &piece, &reply, &arena, CHARLE_OK, "first piece");
    raw_call(mo, &charle_files_put_method, &piece, &reply, &arena, CHARLE_OK, "first piece again");
    check(reply.next == PIECE, "a repeat moved the upload");
    raw_call(mo, &charle_files_offer_method, &offer, &reply, &arena, CHARLE_OK, "offer again");
    check(reply.next == PIECE, "an upload does not go on where it was");
    piece.at = PIECE;
    raw_call(mo, &charle_files_put_method, &piece, &reply, &arena, CHARLE_CONFLICT, "the whole is something else");
    raw_call(mo, &charle_files_put_method, &piece, &reply, &arena, CHARLE_FAILED_PRECONDITION, "the false upload is still there");
    check(rig_number(bench->pg, "select count(*) from charle.content where not is_whole and size = 524288 and received > 0 and principal = 'user'") == 0, "pieces of a false file stay");
    free(data);
    charle_arena_deinit(&arena);
    charle_client_close(mo);
}

// One piece after the other, and the server or PostgreSQL's answer gone after each: the upload and the download go on where they were.
static void test_every_piece_may_be_the_last_for_a_while(struct bench *bench)
{
    enum { PIECES = 6 };
    struct charle_error err = {0};
    char sql[200];
    struct charle_client *pia = open_ready(bench, "pia-cut", bench->pia);
    struct charle_attachment_ref ref = put(pia, PIECES * PIECE, 400);
    must(refer(bench, pia, ref.hash, "cut.bin", NULL, false, &err), &err, "refer");
    snprintf(sql, sizeof(sql), "select coalesce(max(received), 0) from charle.content where hash = '%s'", ref.hash);
    must(charle_client_start(pia, &err), &err, "start");
    long seen = 0;
    for (int round = 0; round < 40 && count_rows(bench, ref.hash) == 0; round++) {
        rig_kill_server(&bench->rig, SIGKILL);
        long now = rig_number(bench->pg, sql);
        check(now >= seen, "an upload went back");
        seen = now;
        rig_start_server(&bench->rig);
        for (int i = 0; i < 4000 && rig_number(bench->pg, sql) == seen && count_rows(bench, ref.hash) == 0; i++)
            rig_pause(1);
    }
    charle_client_stop(pia);
    must_sync(pia);
    check(count_rows(bench, ref.hash) == 1, "the call never came");
    struct charle_client *mo = open_ready(bench, "mo-cut", bench->mo);
    must(charle_client_start(mo, &err), &err, "start");
    must(charle_attachment_want(mo, ref.hash, &err), &err, "want");
    for (int round = 0; round < 40 && state_of(mo, ref.hash, NULL) != CHARLE_ATTACHMENT_HERE; round++) {
        rig_kill_server(&bench->rig, SIGKILL);
        rig_start_server(&bench->rig);
        rig_pause((int)rig_random(&bench->rig, 300));
    }
    int rc = get(mo, ref.hash, PIECES * PIECE, 400, &err);
    for (int i = 0; charle_err_is_retryable((enum charle_err)rc) && i < 20; i++) // of the connection that the last kill cut
        rc = get(mo, ref.hash, PIECES * PIECE, 400, &err);
    must(rc, &err, "fetching with kills");
    charle_client_close(pia);
    charle_client_close(mo);
}

// kill -9 of the laptop while it adds, sends and fetches; the child works in a loop.
_Noreturn static void work_until_killed(char **argv)
{
    struct bench bench = {0};
    struct charle_error err = {0};
    snprintf(bench.rig.folder, sizeof(bench.rig.folder), "%s", argv[2]);
    snprintf(bench.rig.address, sizeof(bench.rig.address), "%s", argv[3]);
    bench.rig.options.schema = &charleos_schema;
    snprintf(bench.task, sizeof(bench.task), "%s", argv[5]);
    snprintf(bench.client, sizeof(bench.client), "%s", argv[6]);
    char list[200];
    snprintf(list, sizeof(list), "%s/files.list", bench.rig.folder);
    struct charle_client *client = rig_client(&bench.rig, "pia-kill", argv[4]);
    int fd = open(list, O_WRONLY | O_CREAT | O_APPEND, 0600);
    must(charle_client_start(client, &err), &err, "start");
    for (unsigned seed = (unsigned)getpid() * 1000;; seed++) {
        char line[80];
        struct charle_attachment_ref ref = put(client, seed % 5 * PIECE + seed % 999, seed);
        must(refer(&bench, client, ref.hash, "killed.bin", NULL, false, &err), &err, "refer");
        int size = snprintf(line, sizeof(line), "%s\n", ref.hash);
        if (write(fd, line, (size_t)size) != size)
            _exit(5);
        rig_pause(20);
    }
}

static void test_kills_lose_nothing(struct bench *bench, const char *program)
{
    enum { ROUNDS = 25 };
    char line[80], list[200];
    struct charle_error err = {0};
    charle_client_close(open_ready(bench, "pia-kill", bench->pia));
    for (int round = 0; round < ROUNDS; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            execl(program, program, "--work", bench->rig.folder, bench->rig.address, bench->pia, bench->task, bench->client, (char *)NULL);
            _exit(127);
        }
        rig_pause(50 + (int)rig_random(&bench->rig, 500));
        if (round % 5 == 4) {
            rig_kill_server(&bench->rig, SIGKILL);
            rig_start_server(&bench->rig);
        }
        int status;
        check(waitpid(pid, &status, WNOHANG) == 0, "the worker ended by itself");
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    struct charle_client *pia = open_ready(bench, "pia-kill", bench->pia);
    snprintf(list, sizeof(list), "%s/files.list", bench->rig.folder);
    FILE *file = fopen(list, "r");
    long count = 0;
    for (; file && fgets(line, sizeof(line), file); count++) {
        line[CH_FILE_NAME_LEN] = '\0';
        check(count_rows(bench, line) >= 1, "a file that was added, and its row, are not on the server");
        check(state_of(pia, line, NULL) == CHARLE_ATTACHMENT_HERE, "a file that was sent is not marked as sent");
    }
    check(count > ROUNDS / 2, "hardly anything was done between the kills");
    struct charle_client_status status;
    charle_client_status(pia, &status);
    check(!status.pending_calls && !status.inbox_count, "calls wait, or verdicts came");
    printf("    %ld files survived %d kills\n", count, ROUNDS);
    must(charle_client_set_attachment_budget(pia, 1, &err), &err, "budget");
    charle_client_close(pia);
    fclose(file);
}

// The cache stays below its budget; what is pinned or unsent stays; what went comes again.
static void test_the_cache_is_bounded(struct bench *bench)
{
    enum { FILES = 6 };
    struct charle_error err = {0};
    struct charle_attachment_ref refs[FILES];
    struct charle_client *pia = open_ready(bench, "pia-cache", bench->pia);
    for (unsigned i = 0; i < FILES; i++) {
        refs[i] = put(pia, 2 * PIECE, 500 + i);
        must(refer(bench, pia, refs[i].hash, "cache.bin", NULL, false, &err), &err, "refer");
    }
    must_sync(pia);
    must(charle_attachment_pin(pia, refs[0].hash, true, &err), &err, "pin");
    struct charle_attachment_ref unsent = put(pia, 2 * PIECE, 599);
    must(charle_client_set_attachment_budget(pia, 6 * PIECE, &err), &err, "budget");
    check(state_of(pia, refs[0].hash, NULL) == CHARLE_ATTACHMENT_HERE, "a pinned file was evicted");
    check(state_of(pia, unsent.hash, NULL) == CHARLE_ATTACHMENT_UNSENT, "a file that is nowhere else was evicted");
    check(state_of(pia, refs[1].hash, NULL) == 0, "the budget is not kept");
    check(state_of(pia, refs[FILES - 1].hash, NULL) == CHARLE_ATTACHMENT_HERE, "the newest file went first");
    check(charle_attachment_drop(pia, unsent.hash, &err) == CHARLE_FAILED_PRECONDITION, "a file that is nowhere else was dropped");
    const struct charle_attachment_options local = {.is_local = true};
    check(charle_attachment_get(pia, refs[1].hash, &local, NULL, NULL, &err) == CHARLE_NOT_FOUND, "an evicted file is here");
    must(get(pia, refs[1].hash, 2 * PIECE, 501, &err), &err, "fetching an evicted file");
    charle_client_close(pia);
}

// Nothing of a file can be read in the store of an encrypted replica.
static void seal(struct bench *bench, bool was_clear)
{
    static const char tell[] = "the quick brown fox jumps over the lazy dog, four hundred times";
    const struct charle_client_key key = {.passphrase = "correct horse battery"}, other = {.passphrase = "another passphrase"};
    char file[200], store[220], *text = malloc(400 * sizeof(tell));
    struct charle_error err = {0};
    struct charle_attachment_ref ref;
    struct charle_client *client;
    for (int i = 0; i < 400; i++)
        memcpy(text + (size_t)i * sizeof(tell), tell, sizeof(tell));
    snprintf(file, sizeof(file), "%s/sealed/replica.db", bench->rig.folder);
    struct charle_client_options options = {.file = file, .schema = &charleos_schema, .url = bench->rig.address, .token = bench->pia, .key = &key};
    if (was_clear)
        options.key = NULL;
    must(charle_client_open(&options, &client, &err), &err, "open");
    const struct charle_attachment_source source = {.bytes = text, .size = 400 * sizeof(tell)};
    must(charle_attachment_put(client, &source, &ref, &err), &err, "put");
    charle_client_close(client);
    if (was_clear)
        must(charle_replica_encrypt(file, &key, &err), &err, "encrypt what was in clear");
    for (int round = 0; round < 3; round++) {
        snprintf(store, sizeof(store), "%s.files", file);
        int fd = open(store, O_RDONLY);
        struct stat info;
        check(fd >= 0 && fstat(fd, &info) == 0 && (info.st_mode & 077) == 0, "the store is not private");
        char *all = malloc((size_t)info.st_size);
        check(read(fd, all, (size_t)info.st_size) == info.st_size, "read");
        check(info.st_size > 400 * (off_t)sizeof(tell) && !memmem(all, (size_t)info.st_size, tell, 40), "a file can be read in the store");
        free(all);
        close(fd);
        if (round == 0)
            must(charle_replica_rekey(file, &key, &other, &err), &err, "rekey");
        if (round == 1)
            must(charle_replica_encrypt(file, &other, &err), &err, "new data key");
        options.key = &other;
        must(charle_client_open(&options, &client, &err), &err, "open again");
        int out = -1;
        const struct charle_attachment_options local = {.is_local = true};
        must(charle_attachment_get(client, ref.hash, &local, NULL, &out, &err), &err, "get");
        char *got = malloc(400 * sizeof(tell) + 1);
        check(read(out, got, 400 * sizeof(tell) + 1) == 400 * (ssize_t)sizeof(tell) && memcmp(got, text, 400 * sizeof(tell)) == 0, "another file");
        close(out);
        free(got);
        charle_client_close(client);
    }
    must(charle_replica_wipe(file, &err), &err, "wipe");
    check(access(store, F_OK) != 0, "a wipe leaves the files");
    free(text);
}

static void test_an_encrypted_replica_seals_its_files(struct bench *bench)
{
    seal(bench, false);
    seal(bench, true);
}

// Files that nothing refers to go after their time, and only those; an upload at the same moment wins or begins anew, never half.
static void test_what_nothing_refers_to_goes(struct bench *bench)
{
    struct charle_error err = {0};
    char sql[700];
    struct charle_client *pia = open_ready(bench, "pia-gone", bench->pia);
    struct charle_attachment_ref kept = put(pia, PIECE + 1, 600), lost = put(pia, PIECE + 2, 601);
    must(refer(bench, pia, kept.hash, "kept.bin", NULL, false, &err), &err, "refer");
    must_sync(pia);
    for (int i = 0; i < 2000 && state_of(pia, lost.hash, NULL) != CHARLE_ATTACHMENT_HERE; i++) {
        must_sync(pia);
        rig_pause(5);
    }
    rig_sql(bench->pg, "update charle.file set touched_at = now() - interval '8 days'");
    rig_sql(bench->pg, "select charle.forget_files(interval '7 days', 1000)");
    snprintf(sql, sizeof(sql), "select count(*) from charle.file where hash = '%s'", lost.hash);
    check(rig_number(bench->pg, sql) == 0, "a file that nothing refers to stays");
    check(rig_number(bench->pg, "select count(*) from charle.piece p where not exists (select from charle.content c where c.id = p.content)") == 0, "pieces stay");
    snprintf(sql, sizeof(sql), "select count(*) from charle.file where hash = '%s'", kept.hash);
    check(rig_number(bench->pg, sql) == 1, "a file in use was forgotten");
    raw_get(pia, kept.hash, CHARLE_OK, "reading what was kept");
    // A transaction that is about to refer to the file holds it.
    PGconn *other = rig_psql(&bench->rig);
    snprintf(sql, sizeof(sql), "insert into attachment (id, subject_type, subject_id, client_id, file_name, content_type, size_bytes, storage_key, sha256, uploaded_by_user_id, content)"
                               " select 'race', subject_type, subject_id, client_id, 'race', 'x', 1, 'x', sha256, uploaded_by_user_id, content from attachment where content = '%s'", kept.hash);
    rig_sql(other, "begin");
    rig_sql(other, sql);
    snprintf(sql, sizeof(sql), "delete from attachment where content = '%s' and id <> 'race'", kept.hash);
    rig_sql(bench->pg, sql);
    rig_sql(bench->pg, "update charle.file set touched_at = now() - interval '8 days'");
    rig_sql(bench->pg, "select charle.forget_files(interval '7 days', 1000)");
    rig_sql(other, "commit");
    snprintf(sql, sizeof(sql), "select count(*) from charle.file f join attachment a on a.content = f.hash where f.hash = '%s'", kept.hash);
    check(rig_number(bench->pg, sql) == 1, "a file was forgotten under a row that was just being put in");
    PQfinish(other);
    // A call made long after the upload: the file is offered again, and sent again because the server has forgotten it.
    must(refer(bench, pia, lost.hash, "late.bin", NULL, false, &err), &err, "refer");
    charle_client_close(pia);
    char command[400];
    snprintf(command, sizeof(command), "sqlite3 %s/pia-gone/replica.db.files \"update charle_file set sent_at = 1\"", bench->rig.folder);
    check(system(command) == 0, "sqlite3");
    pia = open_ready(bench, "pia-gone", bench->pia);
    check(count_rows(bench, lost.hash) == 1, "a call that mentions a forgotten file was not confirmed");
    charle_client_close(pia);
}

// A server that is put back to before an upload: the file is offered again, although the laptop has been told that it is there.
static void test_a_database_that_goes_back_is_given_the_file_again(struct bench *bench)
{
    struct charle_error err = {0};
    struct charle_client *pia = open_ready(bench, "pia-back", bench->pia);
    struct charle_attachment_ref ref = put(pia, PIECE + 9, 700);
    for (int i = 0; i < 2000 && state_of(pia, ref.hash, NULL) != CHARLE_ATTACHMENT_HERE; i++) {
        must_sync(pia);
        rig_pause(5);
    }
    rig_kill_server(&bench->rig, SIGKILL);
    rig_sql(bench->pg, "delete from charle.file_holder; delete from charle.file f where not exists (select from attachment a where a.content = f.hash); "
                       "delete from charle.content c where not exists (select from charle.file f where f.content = c.id)");
    must(refer(bench, pia, ref.hash, "back.bin", NULL, false, &err), &err, "refer");
    rig_start_server(&bench->rig);
    must_sync(pia);
    check(count_rows(bench, ref.hash) == 1, "a call was refused because the database had lost its file");
    charle_client_close(pia);
}

// No room for the file: told at once, nothing half is left, and everything else goes on.
static void test_a_full_disk_is_told(struct bench *bench)
{
    char folder[120], file[160], command[300];
    struct charle_error err = {0};
    struct charle_client *client;
    struct charle_attachment_ref ref;
    snprintf(folder, sizeof(folder), "%s/small", bench->rig.folder);
    snprintf(command, sizeof(command), "mkdir %s && mount -t tmpfs -o size=4m charle-test %s 2>/dev/null", folder, folder);
    if (system(command) != 0) {
        printf("    left out: only root may mount a small file system\n");
        return;
    }
    snprintf(file, sizeof(file), "%s/replica.db", folder);
    const struct charle_client_options options = {.file = file, .schema = &charleos_schema};
    uint8_t *bytes = make_bytes(16u << 20, 800);
    struct charle_attachment_source source = {.bytes = bytes, .size = 16u << 20};
    must(charle_client_open(&options, &client, &err), &err, "open");
    int rc = charle_attachment_put(client, &source, &ref, &err);
    if (rc != CHARLE_DISK_FULL)
        rig_die("a full disk is %s: %s", charle_err_name((enum charle_err)rc), rc ? err.text : "");
    source.size = 1000;
    must(charle_attachment_put(client, &source, &ref, &err), &err, "a small file afterwards");
    check(state_of(client, ref.hash, NULL) == CHARLE_ATTACHMENT_UNSENT, "the small file is not there");
    charle_client_close(client);
    free(bytes);
    snprintf(command, sizeof(command), "umount %s", folder);
    check(system(command) == 0, "umount");
}

// --- running ------------------------------------------------------------------------------------------------------------

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {{"go", test_files_go_before_their_calls_and_can_be_fetched},
                                              {"free", test_calls_that_need_no_file_do_not_wait},
                                              {"rights", test_who_may_not_see_a_row_gets_nothing},
                                              {"wrong", test_wrong_bytes_are_not_taken},
                                              {"cut", test_every_piece_may_be_the_last_for_a_while},
                                              {"cache", test_the_cache_is_bounded},
                                              {"sealed", test_an_encrypted_replica_seals_its_files},
                                              {"gone", test_what_nothing_refers_to_goes},
                                              {"back", test_a_database_that_goes_back_is_given_the_file_again},
                                              {"full", test_a_full_disk_is_told}};
    struct bench bench = {0};
    if (argc == 7 && strcmp(argv[1], "--work") == 0)
        work_until_killed(argv);
    check(sodium_init() >= 0, "sodium");
    bench_open(&bench);
    bench_run(&bench, cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
    if (argc == 1 || strcmp(argv[1], "kill") == 0)
        test_kills_lose_nothing(&bench, argv[0]);
    printf("files: all cases hold\n");
    bench_close(&bench);
    return 0;
}
