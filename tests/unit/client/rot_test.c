// Single bits of a replica's files turn over, at thousands of places. Encrypted: every one that matters is noticed, in words that say
// what is damaged, and nothing else than the truth is ever read. In clear: SQLite sees only what breaks its structure, which is told as
// clearly, and the test counts what it does not see. Either way the calls that wait can be taken out of what is left.
//
// CHARLE_ROUNDS (default 1) multiplies the places.
#include "world.h"

#include "db/sqlite/sqlite.h"
#include "notes.charle.h"
#include "secret.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { FLIPS = 1200, CALLS = 40 };

static const struct charle_client_key key = {.bytes = (const uint8_t *)"0123456789abcdef0123456789abcdef"};

struct copy { // a file as it was
    uint8_t *bytes;
    size_t size;
};

static struct copy read_copy(const char *file, const char *suffix)
{
    char path[200];
    struct stat info;
    snprintf(path, sizeof(path), "%s%s", file, suffix);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return (struct copy){0};
    assert_int_equal(fstat(fd, &info), 0);
    struct copy copy = {.bytes = malloc((size_t)info.st_size + 1), .size = (size_t)info.st_size};
    assert_int_equal(read(fd, copy.bytes, copy.size), (ssize_t)copy.size);
    close(fd);
    return copy;
}

static void write_copy(const char *file, const char *suffix, const struct copy *copy)
{
    char path[200];
    snprintf(path, sizeof(path), "%s%s", file, suffix);
    if (!copy->bytes)
        return;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, copy->bytes, copy->size) == (ssize_t)copy->size);
    close(fd);
}

// --- what a replica shows -------------------------------------------------------------------------------------------------------

enum { TABLES_MAX = 64 };

static int list_tables(sqlite3 *handle, char out[][64])
{
    int count = 0;
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(handle, "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name", -1, &stmt, NULL);
    while (!code && sqlite3_step(stmt) == SQLITE_ROW) {
        assert_true(count < TABLES_MAX - 1);
        snprintf(out[count++], sizeof(out[0]), "%s", sqlite3_column_text(stmt, 0));
    }
    sqlite3_finalize(stmt); // what failed here fails again below
    return count;
}

// Everything in it as one number, or why it cannot be read.
static enum charle_err sum_up(const char *file, const struct charle_client_key *with, uint64_t *out, struct charle_error *err)
{
    struct charle_db *db = NULL;
    struct ch_file_look look;
    struct ch_cipher *cipher = NULL;
    uint8_t data_key[CH_CIPHER_KEY_SIZE];
    *out = 14695981039346656037u;
    enum charle_err rc = ch_file_look(file, NULL, &look, err);
    if (!rc && with)
        rc = ch_key_open(file, with, look.kind == CH_FILE_ENCRYPTED ? look.mark : NULL, data_key, err);
    if (!rc && with)
        rc = ch_cipher_open(data_key, NULL, 8192, &cipher, err);
    const struct ch_sqlite_options sqlite = {.must_exist = true, .vfs = ch_cipher_vfs(cipher)};
    if (!rc)
        rc = ch_sqlite_open(file, &sqlite, &db, err);
    char tables[TABLES_MAX][64] = {"sqlite_schema"};
    int table_count = rc ? 0 : list_tables(ch_sqlite_handle(db), &tables[1]) + 1;
    for (int i = 0; !rc && i < table_count; i++) {
        char sql[100];
        sqlite3_stmt *stmt = NULL;
        snprintf(sql, sizeof(sql), "select * from \"%s\" order by 1", tables[i]);
        int code = sqlite3_prepare_v2(ch_sqlite_handle(db), sql, -1, &stmt, NULL);
        while (!code && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
            for (int c = 0; c < sqlite3_column_count(stmt); c++) {
                const unsigned char *text = sqlite3_column_text(stmt, c);
                for (int n = 0; n < sqlite3_column_bytes(stmt, c); n++)
                    *out = (*out ^ text[n]) * 1099511628211u;
                *out = (*out ^ (uint64_t)sqlite3_column_type(stmt, c)) * 1099511628211u;
            }
            code = SQLITE_OK;
        }
        if (code && code != SQLITE_DONE)
            rc = ch_sqlite_fail(ch_sqlite_handle(db), sqlite3_extended_errcode(ch_sqlite_handle(db)), NULL, err);
        sqlite3_finalize(stmt);
    }
    charle_db_close(db);
    ch_cipher_close(cipher);
    return rc;
}

static bool count_call(void *ctx, const struct charle_outbox_entry *entry)
{
    if (strcmp(entry->method, "notes.NoteService/Update") == 0 && entry->request_size > 0)
        *(int *)ctx += 1;
    return true;
}

// --- the flips --------------------------------------------------------------------------------------------------------------------

struct tally {
    int noticed, same, wrong;
    int rescued_least; // of CALLS, over all flips
    int rescued_all;   // flips after which every call could be taken out
    long rescued;      // calls, over all flips
};

// The replica opens or says why not; if it opens, it shows the truth.
static void look_at(const char *file, const struct charle_client_key *with, uint64_t truth, struct tally *tally, const char *where)
{
    struct charle_error err = {0}, rescue_err = {0};
    uint64_t sum;
    int rescued = 0;
    int rescue_rc = charle_replica_calls(file, with, count_call, &rescued, &rescue_err);
    enum charle_err rc = sum_up(file, with, &sum, &err);
    if (rc && !strstr(err.text, file))
        fail_msg("%s: the sentence does not say which file: %s", where, err.text);
    if (with && rc && rc != CHARLE_DATA_LOSS)
        fail_msg("%s: %s: %s", where, charle_err_name(rc), err.text);
    if (with && !rc && sum != truth)
        fail_msg("%s: something else than the truth was read, and nobody noticed", where);
    if (with && !rc && rescue_rc)
        fail_msg("%s: the calls cannot be taken out of a file that can be read: %s", where, rescue_err.text);
    tally->noticed += rc != 0;
    tally->same += !rc && sum == truth;
    tally->wrong += !rc && sum != truth;
    if (rescued < tally->rescued_least)
        tally->rescued_least = rescued;
    tally->rescued_all += rescued == CALLS;
    tally->rescued += rescued;
    if (with && rescued < CALLS && rescue_rc != CHARLE_DATA_LOSS)
        fail_msg("%s: only %d calls were taken out, and nobody said so: %s", where, rescued, rescue_err.text);
}

static int rounds(void)
{
    const char *text = getenv("CHARLE_ROUNDS");
    return text ? (int)strtol(text, NULL, 10) : 1;
}

// Turns one bit after another of the file with this suffix.
static struct tally flip(const char *file, const char *suffix, const struct charle_client_key *with)
{
    static const char *const suffixes[] = {"", "-wal", ".key"};
    struct copy copies[3], *victim = NULL;
    struct tally tally = {.rescued_least = CALLS};
    struct charle_error err = {0};
    uint64_t truth, random = 88172645463325252u;
    char other[200];
    snprintf(other, sizeof(other), "%s.rot", file);
    for (int i = 0; i < 3; i++) {
        copies[i] = read_copy(file, suffixes[i]);
        if (strcmp(suffixes[i], suffix) == 0)
            victim = &copies[i];
        write_copy(other, suffixes[i], &copies[i]);
    }
    assert_true(victim && victim->size > 1000);
    assert_int_equal(sum_up(other, with, &truth, &err), CHARLE_OK);
    int flips = FLIPS * rounds();
    for (int n = 0; n < flips; n++) {
        char where[100];
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        size_t at = (size_t)((double)victim->size * n / flips) + random % (victim->size / (size_t)flips + 1);
        at = at < victim->size ? at : victim->size - 1;
        uint8_t bit = (uint8_t)(1u << (random >> 32) % 8);
        victim->bytes[at] ^= bit;
        for (int i = 0; i < 3; i++)
            write_copy(other, suffixes[i], &copies[i]);
        snprintf(where, sizeof(where), "byte %zu of %zu of the file%s", at, victim->size, suffix);
        look_at(other, with, truth, &tally, where);
        victim->bytes[at] ^= bit;
    }
    world_remove_files(other);
    for (int i = 0; i < 3; i++)
        free(copies[i].bytes);
    print_message("%s%s: %d flips, %d noticed, %d without effect, %d wrong; all calls taken out %d times, %ld in all, at least %d of %d\n",
                  with ? "encrypted" : "in clear", suffix, flips, tally.noticed, tally.same, tally.wrong, tally.rescued_all, tally.rescued, tally.rescued_least, CALLS);
    return tally;
}

static void fill(struct secret *s, const struct charle_client_key *with)
{
    struct charle_error err = {0};
    fake_server_sql(&s->server, "with recursive n(i) as (select 31 union all select i + 1 from n where i < 300) "
                                "insert into note(id, room_id, title, votes, state, created_at, updated_at, labels) "
                                "select printf('n%%04d', i), 'r1', 'Title ' || i, i, 'open', 1, 1, '[]' from n");
    secret_open_live(s, with);
    world_connect(&s->a, false);
    for (int i = 1; i <= CALLS; i++) {
        char id[16];
        snprintf(id, sizeof(id), "n%04d", i);
        assert_int_equal(secret_set_title(&s->a, id, "A longer title that was written on a train without any network", &err), CHARLE_OK);
    }
}

static void every_flip_of_an_encrypted_file_is_noticed(void **state)
{
    struct secret *s = *state;
    fill(s, &key);
    world_close(&s->a);
    struct tally tally = flip(s->a.file, "", &key);
    assert_int_equal(tally.wrong, 0);
    assert_true(tally.noticed > FLIPS / 2); // the rest are pages that are free
}

// The log as a killed program leaves it: SQLite rebuilds the index from it, and a log may end anywhere, but not by damage.
static void every_flip_of_an_encrypted_log_is_noticed(void **state)
{
    struct secret *s = *state;
    fill(s, &key);
    struct tally tally = flip(s->a.file, "-wal", &key);
    assert_int_equal(tally.wrong, 0);
    assert_true(tally.noticed > FLIPS / 2);
    assert_true(tally.rescued > (long)FLIPS * rounds() * CALLS / 4); // what lies before the damage
}

static void calls_can_be_taken_out_of_a_damaged_file_in_clear(void **state)
{
    struct secret *s = *state;
    fill(s, NULL);
    world_close(&s->a);
    struct tally tally = flip(s->a.file, "", NULL);
    assert_true(tally.noticed > 0 && tally.rescued_all > FLIPS / 2);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, secret_setup, secret_teardown)
    const struct CMUnitTest tests[] = {
        CASE(every_flip_of_an_encrypted_file_is_noticed),
        CASE(every_flip_of_an_encrypted_log_is_noticed),
        CASE(calls_can_be_taken_out_of_a_damaged_file_in_clear),
    };
#undef CASE
    cmocka_set_test_filter(getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
