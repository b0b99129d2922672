// First copies by seed files against a real server: the file is taken as the replica, what has changed since comes behind it, and whatever goes wrong on
// the way (cut lines, wrong bytes, rights that end, processes that end) leaves a replica that is equal to the server, or none.
//
// Whether a replica was made of a file is told by the file itself: seed files have room for seals at the ends of their pages, byte 20 of the header,
// and replicas in clear that were copied have none.
#include "base/err.h"
#include "charle/sync.charle.h"
#include "charleos.schema.charle.h"
#include "db/db.h"
#include "db/sqlite/sqlite.h"
#include "fault/agency.h"
#include "fault/proxy/proxy.h"
#include "msg/wire.h"
#include "rpc/rpc.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 60000, CUTS = 24, RESERVED_AT = 20, SEAL_SIZE = 40 };

static const char pia[] = "pia@charleos.test", pat[] = "pat@northwind.test";

struct test {
    struct rig rig;
    struct proxy *proxy;
    char pia[256], pat[256]; // tokens
    int laptops;
};

static void must(int rc, const struct charle_error *err, const char *what)
{
    if (rc)
        rig_die("%s: %s", what, err->text);
}

static void login(struct test *t, const char *email, const char *principal, char token[256])
{
    struct charle_error err = {0};
    struct charle_login_result reply;
    const struct charle_login_options options = {.url = t->rig.address, .principal = principal, .email = email, .password = rig_password};
    must(charle_login(&options, &reply, &err), &err, "login");
    snprintf(token, 256, "%s", reply.token);
}

// --- laptops --------------------------------------------------------------------------------------------------------------

struct laptop {
    char name[32], file[200];
    const char *token;
    const struct charle_client_key *key;
    bool copies_rows;
    struct charle_client *client;
};

static void open_laptop(struct test *t, struct laptop *laptop)
{
    struct charle_error err = {0};
    const struct charle_client_options options = {.file = laptop->file, .schema = &charleos_schema, .url = proxy_address(t->proxy), .token = laptop->token,
                                                  .device_name = laptop->name, .key = laptop->key, .ignores_seed_files = laptop->copies_rows};
    must(charle_client_open(&options, &laptop->client, &err), &err, "open");
}

static void new_laptop(struct test *t, const char *token, struct laptop *laptop)
{
    *laptop = (struct laptop){.token = token};
    snprintf(laptop->name, sizeof(laptop->name), "laptop%d", t->laptops++);
    snprintf(laptop->file, sizeof(laptop->file), "%s/%s/replica.db", t->rig.folder, laptop->name);
    open_laptop(t, laptop);
}

static void close_laptop(struct laptop *laptop)
{
    charle_client_close(laptop->client);
    laptop->client = NULL;
}

static int sync_once(struct laptop *laptop, struct charle_error *err)
{
    *err = (struct charle_error){0};
    return charle_client_sync(laptop->client, WAIT_MS, err);
}

static void must_sync(struct laptop *laptop, const char *when)
{
    struct charle_error err = {0};
    must(sync_once(laptop, &err), &err, when);
}

static void must_be_equal(struct laptop *laptop, const char *when)
{
    struct charle_error err = {0};
    struct charle_verify_report report = {0};
    must(charle_client_verify(laptop->client, WAIT_MS, &report, &err), &err, when);
    if (report.rows_different || !report.rows)
        rig_die("%s: %lld of %lld rows differ", when, (long long)report.rows_different, (long long)report.rows);
}

static long local_number(struct laptop *laptop, const char *sql)
{
    struct charle_error err = {0};
    struct charle_rows *rows = NULL;
    struct charle_value value = {0};
    must(charle_query(charle_client_db(laptop->client), sql, NULL, 0, &rows, &err), &err, sql);
    must(charle_rows_next(rows, &err), &err, sql);
    must(charle_rows_value(rows, 0, CHARLE_TYPE_INT8, false, &value, &err), &err, sql);
    charle_rows_close(rows);
    return (long)value.int8;
}

static int byte_at(const char *file, long at)
{
    FILE *f = fopen(file, "rb");
    if (!f || fseek(f, at, SEEK_SET) != 0)
        rig_die("%s cannot be read", file);
    int byte = fgetc(f);
    fclose(f);
    return byte;
}

// The replica must be closed.
static bool was_adopted(const struct laptop *laptop)
{
    return byte_at(laptop->file, RESERVED_AT) == SEAL_SIZE;
}

static bool part_exists(const struct laptop *laptop)
{
    char path[220];
    snprintf(path, sizeof(path), "%s.seed", laptop->file);
    return access(path, F_OK) == 0;
}

static void expect(const struct laptop *laptop, bool adopted, const char *when)
{
    if (was_adopted(laptop) != adopted)
        rig_die("%s: the replica was %s of a seed file", when, adopted ? "not made" : "made");
    if (part_exists(laptop))
        rig_die("%s: the part of a seed file was left behind", when);
}

// --- the server's files -----------------------------------------------------------------------------------------------------

// The path of the largest, which is that of the scope with most rows.
static size_t count_files(struct test *t, const char *tail, char largest[400])
{
    off_t size = -1;
    struct stat about;
    char pattern[300];
    glob_t found;
    snprintf(pattern, sizeof(pattern), "%s/server/seeds/*/*%s", t->rig.folder, tail);
    if (glob(pattern, 0, NULL, &found) != 0)
        return 0;
    size_t count = found.gl_pathc;
    for (size_t i = 0; i < count; i++) {
        if (stat(found.gl_pathv[i], &about) == 0 && about.st_size > size) {
            size = about.st_size;
            snprintf(largest, 400, "%s", found.gl_pathv[i]);
        }
    }
    globfree(&found);
    return count;
}

static void wait_for_files(struct test *t, size_t count)
{
    char path[400];
    for (int waited = 0; count_files(t, ".info", path) < count; waited += 20) {
        if (waited > WAIT_MS)
            rig_die("the server made %zu seed files, not %zu", count_files(t, ".info", path), count);
        rig_pause(20);
    }
}

static void flip_byte(const char *path, long at)
{
    unsigned char byte = (unsigned char)(byte_at(path, at) ^ 0x40);
    int fd = open(path, O_WRONLY);
    if (fd < 0 || pwrite(fd, &byte, 1, at) != 1 || close(fd) != 0)
        rig_die("%s cannot be changed", path);
}

// --- cases ------------------------------------------------------------------------------------------------------------------

static uint64_t bytes_of_rows(struct test *t)
{
    struct laptop laptop = {.token = t->pia, .copies_rows = true};
    struct proxy_counts before, after;
    proxy_counts(t->proxy, &before);
    snprintf(laptop.name, sizeof(laptop.name), "laptop%d", t->laptops++);
    snprintf(laptop.file, sizeof(laptop.file), "%s/%s/replica.db", t->rig.folder, laptop.name);
    open_laptop(t, &laptop);
    must_sync(&laptop, "a copy of rows");
    proxy_counts(t->proxy, &after);
    must_be_equal(&laptop, "a copy of rows");
    close_laptop(&laptop);
    expect(&laptop, false, "a copy of rows");
    return after.bytes[PROXY_DOWN] - before.bytes[PROXY_DOWN];
}

// Pages of rows come compressed as soon as the line is seen to be slow.
static void a_slow_line_packs_pages(struct test *t)
{
    PGconn *pg = rig_psql(&t->rig);
    rig_sql(pg, "update task set description = repeat('a sentence like any other; ', 800)"); // two pages and more
    long raw = rig_number(pg, "select sum(octet_length(description)) from task");
    PQfinish(pg);
    proxy_do(t->proxy, "throttle down 300000");
    uint64_t slow = bytes_of_rows(t);
    proxy_do(t->proxy, "heal");
    printf("a slow line packs pages: %llu bytes for rows with %ld bytes of text\n", (unsigned long long)slow, raw);
    if (slow > (uint64_t)raw)
        rig_die("nothing was packed");
}

// Who asks first copies rows, and the server makes the files of every scope that is large enough.
static void the_first_copies_rows(struct test *t)
{
    struct laptop laptop;
    new_laptop(t, t->pia, &laptop);
    must_sync(&laptop, "the first copy");
    must_be_equal(&laptop, "the first copy");
    close_laptop(&laptop);
    expect(&laptop, false, "the first copy");
    wait_for_files(t, 1);
    rig_pause(300); // others may follow; the laptops after this one ask again
    puts("the first copies rows");
}

static void the_second_takes_the_file(struct test *t)
{
    struct laptop laptop;
    PGconn *pg = rig_psql(&t->rig);
    rig_sql(pg, "update task set title = 'changed after the file' where id = (select min(id) from task)");
    rig_sql(pg, "delete from comment where id = (select min(id) from comment)");
    PQfinish(pg);
    new_laptop(t, t->pia, &laptop);
    must_sync(&laptop, "a copy by file");
    if (local_number(&laptop, "select count(*) from task where title = 'changed after the file'") != 1)
        rig_die("what has changed since the file did not come");
    must_be_equal(&laptop, "a copy by file");
    struct charle_error err = {0};
    must(agency_comment(laptop.client, "said on a replica made of a file", &err), &err, "a call");
    must_sync(&laptop, "a push from it");
    must_be_equal(&laptop, "a push from it");
    close_laptop(&laptop);
    expect(&laptop, true, "a copy by file");
    open_laptop(t, &laptop); // by a program that finds it as it is
    must_sync(&laptop, "a second start");
    must_be_equal(&laptop, "a second start");
    close_laptop(&laptop);
    puts("the second takes the file");
}

static uint64_t calm_bytes(struct test *t)
{
    struct laptop laptop;
    struct proxy_counts before, after;
    proxy_counts(t->proxy, &before);
    new_laptop(t, t->pia, &laptop);
    must_sync(&laptop, "a calm copy");
    close_laptop(&laptop);
    proxy_counts(t->proxy, &after);
    return after.bytes[PROXY_DOWN] - before.bytes[PROXY_DOWN];
}

// Lets a laptop begin its copy on a slow line, until that part of the bytes has come.
static void begin(struct test *t, struct laptop *laptop, uint64_t all, unsigned percent)
{
    struct charle_error err = {0};
    struct proxy_counts before, now;
    proxy_counts(t->proxy, &before);
    proxy_do(t->proxy, "throttle down 2000000");
    must(charle_client_start(laptop->client, &err), &err, "start");
    for (int waited = 0; proxy_counts(t->proxy, &now), now.bytes[PROXY_DOWN] - before.bytes[PROXY_DOWN] < all * percent / 100; waited++) {
        if (waited > WAIT_MS)
            rig_die("the copy does not begin");
        rig_pause(1);
    }
}

// The same, then the line breaks, for good. The program ends, too.
static void begin_and_break(struct test *t, struct laptop *laptop, uint64_t all, unsigned percent)
{
    begin(t, laptop, all, percent);
    proxy_do(t->proxy, "refuse on");
    proxy_do(t->proxy, "reset");
    close_laptop(laptop);
    proxy_do(t->proxy, "heal");
    if (!part_exists(laptop))
        rig_die("no part of %llu bytes was kept", (unsigned long long)all);
}

static void cut_lines_do_no_harm(struct test *t)
{
    uint64_t all = calm_bytes(t);
    int adopted = 0;
    for (int i = 0; i < CUTS; i++) {
        struct laptop laptop;
        uint64_t at = all * (uint64_t)i / CUTS + rig_random(&t->rig, all / CUTS);
        proxy_do(t->proxy, "cut down %llu next", (unsigned long long)at);
        new_laptop(t, t->pia, &laptop);
        must_sync(&laptop, "a copy over a line that is cut");
        must_be_equal(&laptop, "a copy over a line that is cut");
        close_laptop(&laptop);
        adopted += was_adopted(&laptop);
        if (part_exists(&laptop))
            rig_die("cut at %llu: the part was left behind", (unsigned long long)at);
        proxy_do(t->proxy, "heal");
    }
    if (adopted != CUTS)
        rig_die("only %d of %d cut copies were made of a file", adopted, CUTS);
    printf("%d cut lines do no harm\n", CUTS);
}

// A program that ends in the middle: the next one fetches the rest only.
static void a_part_is_gone_on_with(struct test *t)
{
    struct laptop laptop;
    struct proxy_counts before, after;
    uint64_t all = calm_bytes(t);
    new_laptop(t, t->pia, &laptop);
    begin_and_break(t, &laptop, all, 70);
    proxy_do(t->proxy, "heal");
    proxy_counts(t->proxy, &before);
    open_laptop(t, &laptop);
    must_sync(&laptop, "going on");
    must_be_equal(&laptop, "going on");
    proxy_counts(t->proxy, &after);
    close_laptop(&laptop);
    expect(&laptop, true, "going on");
    if (after.bytes[PROXY_DOWN] - before.bytes[PROXY_DOWN] > all * 3 / 4)
        rig_die("%llu of %llu bytes were fetched again", (unsigned long long)(after.bytes[PROXY_DOWN] - before.bytes[PROXY_DOWN]),
                (unsigned long long)all);
    puts("a part is gone on with");
}

static void wait_for_state(struct laptop *laptop, enum charle_client_state state, const char *when)
{
    struct charle_client_status status = {0};
    for (int waited = 0; charle_client_status(laptop->client, &status), status.state != state; waited += 10) {
        if (waited > WAIT_MS)
            rig_die("%s: the state is %d, not %d", when, (int)status.state, (int)state);
        rig_pause(10);
    }
}

// Somebody counts bytes from the middle of a file on: the rest of it waits like everything else, and is fetched when nobody counts any more.
static void a_budget_stops_the_file(struct test *t)
{
    struct charle_error err = {0};
    struct laptop laptop;
    uint64_t all = calm_bytes(t);
    new_laptop(t, t->pia, &laptop);
    begin(t, &laptop, all, 40);
    proxy_do(t->proxy, "stall down -1");
    must(charle_client_set_meter(laptop.client, 65536, 0, &err), &err, "a budget");
    proxy_do(t->proxy, "heal");
    wait_for_state(&laptop, CHARLE_CLIENT_METERED, "a budget in the middle of a file");
    if (!part_exists(&laptop))
        rig_die("a budget: the part of %llu bytes is gone", (unsigned long long)all);
    must(charle_client_set_meter(laptop.client, 0, 0, &err), &err, "no budget any more");
    must_sync(&laptop, "without the budget");
    must_be_equal(&laptop, "without the budget");
    close_laptop(&laptop);
    expect(&laptop, true, "without the budget");
    puts("a budget stops the file");
}

// A power cut leaves anything in a part: it is looked at, not believed.
static void a_spoiled_part_is_mended(struct test *t)
{
    struct laptop laptop;
    char path[220];
    uint64_t all = calm_bytes(t);
    new_laptop(t, t->pia, &laptop);
    begin_and_break(t, &laptop, all, 80);
    proxy_do(t->proxy, "heal");
    snprintf(path, sizeof(path), "%s.seed", laptop.file);
    flip_byte(path, 100); // the header of the database
    flip_byte(path, 8192 + 3);
    open_laptop(t, &laptop);
    must_sync(&laptop, "a spoiled part");
    must_be_equal(&laptop, "a spoiled part");
    close_laptop(&laptop);
    expect(&laptop, true, "a spoiled part");
    puts("a spoiled part is mended");
}

// The server's file rots: no replica takes it, every one is copied instead.
static void wrong_bytes_are_never_taken(struct test *t)
{
    struct laptop laptop;
    char path[400];
    struct stat about;
    count_files(t, ".seed", path);
    if (stat(path, &about) != 0)
        rig_die("%s is not there", path);
    long places[] = {18, about.st_size / 2 + 1, about.st_size - 8192 + 5};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        flip_byte(path, places[i]);
        new_laptop(t, t->pia, &laptop);
        must_sync(&laptop, "a file with a wrong byte");
        must_be_equal(&laptop, "a file with a wrong byte");
        close_laptop(&laptop);
        expect(&laptop, false, "a file with a wrong byte");
        flip_byte(path, places[i]);
    }
    new_laptop(t, t->pia, &laptop);
    must_sync(&laptop, "the file mended");
    close_laptop(&laptop);
    expect(&laptop, true, "the file mended");
    puts("wrong bytes are never taken");
}

// A person who loses the scope in the middle gets nothing of it.
static void a_right_that_ends_ends_the_copy(struct test *t)
{
    struct laptop laptop;
    uint64_t all = calm_bytes(t);
    PGconn *pg = rig_psql(&t->rig);
    new_laptop(t, t->pia, &laptop);
    begin_and_break(t, &laptop, all, 60);
    // Not of the team any more, but still somebody.
    rig_sql(pg, "update \"user\" set access_level = 'staff', work_type = 'sdr' where email = 'pia@charleos.test'");
    open_laptop(t, &laptop);
    must_sync(&laptop, "without the team");
    if (local_number(&laptop, "select count(*) from charle_cursor where scope in ('team', 'pms', 'leads')"))
        rig_die("the scopes are still held");
    must_be_equal(&laptop, "without the team");
    close_laptop(&laptop);
    if (part_exists(&laptop))
        rig_die("the part of a scope that was lost was kept");
    rig_sql(pg, "update \"user\" set access_level = 'staff', work_type = 'pm' where email = 'pia@charleos.test'");
    PQfinish(pg);
    puts("a right that ends ends the copy");
}

// --- what is given to whom ------------------------------------------------------------------------------------------------------

static int ask(struct test *t, const char *token, const char *const *scopes, size_t count, struct charle_arena *arena, struct charle_seed_reply *reply,
               struct charle_error *err)
{
    struct charle_channel *channel;
    const struct charle_channel_options options = {.token = token};
    struct charle_str names[4];
    for (size_t i = 0; i < count; i++)
        names[i] = charle_str(scopes[i]);
    const struct charle_seed_request request = {.schema_hash = charleos_schema.hash, .scope = {.items = names, .count = count, .has = true}};
    int rc = charle_channel_open(t->rig.address, &options, &channel, err);
    if (rc)
        return rc;
    rc = charle_call(channel, &charle_sync_seed_method, &request, arena, reply, &(struct charle_call_options){0}, err);
    charle_channel_close(channel);
    return rc;
}

static int read_first_range(struct test *t, const char *token, struct charle_str scope, struct charle_bytes hash, struct charle_error *err)
{
    struct charle_channel *channel;
    struct charle_buf request = {0}, reply = {0};
    const struct charle_channel_options options = {.token = token};
    const struct charle_seed_read_request message = {.scope = scope, .hash = hash, .count = 1};
    charle_message_write(&charle_seed_read_request_message, &message, &request);
    int rc = charle_channel_open(t->rig.address, &options, &channel, err);
    if (rc)
        return rc;
    rc = charle_call_bytes(channel, charle_str("charle.Sync/SeedRead"), charle_buf_bytes(&request), &reply, &(struct charle_call_options){0}, err);
    charle_channel_close(channel);
    charle_buf_deinit(&request);
    charle_buf_deinit(&reply);
    return rc;
}

static void expect_refusal(int rc, int code, const char *what)
{
    if (rc != code)
        rig_die("%s: %s instead of %s", what, charle_err_name((enum charle_err)rc), charle_err_name((enum charle_err)code));
}

static void nobody_gets_what_is_not_theirs(struct test *t)
{
    struct charle_arena arena = {0};
    struct charle_seed_reply team = {0}, portal = {0};
    struct charle_error err = {0};
    const char *const both[] = {"team", "money"};
    must(ask(t, t->pia, both, 2, &arena, &team, &err), &err, "asking for the team's file");
    if (!team.scope.has)
        rig_die("there is no file of the team");
    must(read_first_range(t, t->pia, team.scope.value, team.hash.value, &err), &err, "reading the team's file");
    must(ask(t, t->pat, both, 2, &arena, &portal, &err), &err, "a customer asks");
    if (portal.scope.has)
        rig_die("a customer is offered the file of %.*s", CHARLE_FMT(portal.scope.value));
    expect_refusal(read_first_range(t, t->pat, team.scope.value, team.hash.value, &err), CHARLE_PERMISSION_DENIED, "a customer reads the team's file");
    expect_refusal(read_first_range(t, t->pat, charle_str("portals"), team.hash.value, &err), CHARLE_NOT_FOUND, "a customer reads it as another scope");
    PGconn *pg = rig_psql(&t->rig);
    rig_sql(pg, "update \"user\" set status = 'deactivated' where email = 'pia@charleos.test'");
    if (read_first_range(t, t->pia, team.scope.value, team.hash.value, &err) == CHARLE_OK)
        rig_die("somebody who was let go reads on");
    rig_sql(pg, "update \"user\" set status = 'active' where email = 'pia@charleos.test'");
    PQfinish(pg);
    login(t, pia, "user", t->pia); // the session may have been ended
    charle_arena_deinit(&arena);
    puts("nobody gets what is not theirs");
}

// Every column of every table, shown to this person or not.
static void must_be_same(struct laptop *one, struct laptop *other)
{
    char sql[600];
    sqlite3 *db = ch_sqlite_handle(charle_client_db(one->client));
    sqlite3_stmt *names = NULL;
    int tables = 0;
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 2); // a reader of the library may attach nothing
    snprintf(sql, sizeof(sql), "attach '%s' as other", other->file);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) ||
        sqlite3_prepare_v2(db, "select name from sqlite_master where type = 'table' and name not like 'charle%' and name not like 'sqlite%'", -1, &names, NULL))
        rig_die("comparing: %s", sqlite3_errmsg(db));
    for (; sqlite3_step(names) == SQLITE_ROW; tables++) {
        const char *name = (const char *)sqlite3_column_text(names, 0);
        snprintf(sql, sizeof(sql),
                 "select count(*) from (select * from main.\"%s\" except select * from other.\"%s\" union all "
                 "select * from (select * from other.\"%s\" except select * from main.\"%s\"))", name, name, name, name);
        if (local_number(one, sql))
            rig_die("a copy by file and a copy by rows differ in %s", name);
    }
    sqlite3_finalize(names);
    if (tables < 10 || local_number(one, "select count(*) from (select * from charle_member except select * from other.charle_member)"))
        rig_die("a copy by file and a copy by rows differ in their members");
    sqlite3_exec(db, "detach other", NULL, NULL, NULL);
}

// Customers have files of their own, with what they may see.
static void audiences_have_files_of_their_own(struct test *t)
{
    char path[400];
    struct laptop copied, taken;
    size_t before = count_files(t, ".info", path);
    new_laptop(t, t->pat, &copied);
    must_sync(&copied, "a customer's copy");
    wait_for_files(t, before + 1);
    rig_pause(500);
    new_laptop(t, t->pat, &taken);
    must_sync(&taken, "a customer's copy by file");
    must_be_equal(&taken, "a customer's copy by file");
    must_be_same(&copied, &taken);
    close_laptop(&copied);
    close_laptop(&taken);
    expect(&taken, true, "a customer's copy by file");
    puts("audiences have files of their own");
}

// --- encrypted ------------------------------------------------------------------------------------------------------------------

static bool holds_text(const char *path, const char *text)
{
    static char bytes[64 << 20];
    FILE *f = fopen(path, "rb");
    size_t size = f ? fread(bytes, 1, sizeof(bytes), f) : 0;
    if (f)
        fclose(f);
    return memmem(bytes, size, text, strlen(text)) != NULL;
}

static void an_encrypted_replica_seals_what_arrives(struct test *t)
{
    struct laptop laptop = {.token = t->pia};
    const struct charle_client_key key = {.passphrase = "correct horse battery"};
    char path[220], seed[400];
    uint64_t all = calm_bytes(t);
    static const char known[] = "agency_schema_marker title in every file";
    PGconn *pg = rig_psql(&t->rig);
    rig_sql(pg, "update task set title = 'agency_schema_marker title in every file' where id = (select max(id) from task)");
    PQfinish(pg);
    snprintf(laptop.name, sizeof(laptop.name), "laptop%d", t->laptops++);
    snprintf(laptop.file, sizeof(laptop.file), "%s/%s/replica.db", t->rig.folder, laptop.name);
    laptop.key = &key;
    open_laptop(t, &laptop);
    begin_and_break(t, &laptop, all, 80);
    snprintf(path, sizeof(path), "%s.seed", laptop.file);
    count_files(t, ".seed", seed);
    if (!holds_text(seed, "CREATE TABLE") || holds_text(path, "CREATE TABLE") || !part_exists(&laptop))
        rig_die("the part of an encrypted replica is in clear, or not there");
    proxy_do(t->proxy, "heal");
    open_laptop(t, &laptop);
    must_sync(&laptop, "an encrypted copy by file");
    must_be_equal(&laptop, "an encrypted copy by file");
    if (local_number(&laptop, "select count(*) from task where title like 'agency_schema_marker%'") != 1)
        rig_die("the change did not come");
    close_laptop(&laptop);
    if (holds_text(laptop.file, known) || holds_text(laptop.file, "CREATE TABLE") || part_exists(&laptop))
        rig_die("the encrypted replica is in clear, or its part is still there");
    puts("an encrypted replica seals what arrives");
}

// After a restart the server goes on with the files it has; what was half made is gone.
static void files_outlive_the_server(struct test *t)
{
    char path[400], stray[500];
    struct laptop laptop;
    size_t before = count_files(t, ".info", path);
    rig_kill_server(&t->rig, 9);
    snprintf(stray, sizeof(stray), "%.*s/making.tmp", (int)(strrchr(path, '/') - path), path);
    FILE *f = fopen(stray, "w");
    if (!f || fputs("half", f) < 0 || fclose(f) != 0)
        rig_die("%s cannot be made", stray);
    rig_start_server(&t->rig);
    if (access(stray, F_OK) == 0 || count_files(t, ".info", path) != before)
        rig_die("the files are not what they were");
    new_laptop(t, t->pia, &laptop);
    must_sync(&laptop, "after the restart");
    must_be_equal(&laptop, "after the restart");
    close_laptop(&laptop);
    expect(&laptop, true, "after the restart");
    puts("files outlive the server");
}

int main(void)
{
    static struct test t;
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct charle_error err = {0};
    setenv("CHARLE_SEED_ROWS", "40", 1);
    agency_open(&t.rig, 21, false);
    const struct proxy_options options = {.listen = "tcp://127.0.0.1:0", .target = t.rig.address, .seed = 3};
    must(proxy_open(&options, &t.proxy, &err), &err, "proxy");
    login(&t, pia, "user", t.pia);
    login(&t, pat, "client_user", t.pat);
    the_first_copies_rows(&t);
    the_second_takes_the_file(&t);
    cut_lines_do_no_harm(&t);
    a_part_is_gone_on_with(&t);
    a_spoiled_part_is_mended(&t);
    wrong_bytes_are_never_taken(&t);
    an_encrypted_replica_seals_what_arrives(&t);
    nobody_gets_what_is_not_theirs(&t);
    a_right_that_ends_ends_the_copy(&t);
    audiences_have_files_of_their_own(&t);
    files_outlive_the_server(&t);
    a_budget_stops_the_file(&t);
    a_slow_line_packs_pages(&t);
    proxy_close(t.proxy);
    rig_close(&t.rig);
    return 0;
}
