// A replica taken elsewhere, and what is saved of a damaged one.
#include "fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>
#include <sqlite3.h>

static void must(int rc, const struct charle_error *err)
{
    if (rc)
        fail_msg("%s", err->text);
}

struct place {
    char export_file[200], other[200];
};

static struct place places(struct fixture *f)
{
    struct place place;
    snprintf(place.export_file, sizeof(place.export_file), "%s/taken.charle", f->folder);
    snprintf(place.other, sizeof(place.other), "%s/other/replica.db", f->folder);
    return place;
}

static struct charle_client_options options_for(struct fixture *f, const char *file)
{
    return (struct charle_client_options){.file = file, .schema = &notes_schema, .url = f->served.address, .token = "t"};
}

static struct charle_client *open_at(struct fixture *f, const char *file)
{
    struct charle_client *client = NULL;
    struct charle_error err = {0};
    const struct charle_client_options options = options_for(f, file);
    must(charle_client_open(&options, &client, &err), &err);
    return client;
}

static struct charle_client_status status_of(struct charle_client *client)
{
    struct charle_client_status status;
    charle_client_status(client, &status);
    return status;
}

static int64_t calls_run(struct fixture *f)
{
    int64_t count = served_lock(&f->served)->calls_run;
    served_unlock(&f->served);
    return count;
}

static void must_title(struct fixture *f, struct charle_client *client, const char *id, const char *title)
{
    struct charle_error err = {0};
    must(set_title(f, client, id, title, NULL, &err), &err);
}

// A replica with two unsent calls, and its export.
static struct charle_client *export_with_calls(struct fixture *f, const struct place *place)
{
    struct charle_error err = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    must_title(f, client, "n0001", "Unsent one");
    must_title(f, client, "n0002", "Unsent two");
    must(charle_client_export(client, place->export_file, &err), &err);
    return client;
}

static struct charle_client *import(struct fixture *f, const struct place *place)
{
    struct charle_error err = {0};
    const struct charle_client_options options = options_for(f, place->other);
    must(charle_replica_import(place->export_file, &options, &err), &err);
    return open_at(f, place->other);
}

static void copy_keeps_rows_and_unsent_calls(void **state)
{
    struct fixture *f = *state;
    struct place place = places(f);
    struct stat info;
    struct charle_client *first = export_with_calls(f, &place);
    assert_int_equal(stat(place.export_file, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    struct charle_client *second = import(f, &place);
    assert_true(status_of(second).is_ready); // usable before any contact
    assert_int_equal(status_of(second).pending_calls, 2);
    assert_int_equal(number(charle_client_db(second), "select count(*) from note where title like 'Unsent%'"), 2);
    must_title(f, second, "n0003", "By the copy");
    // The copy comes first; the original sends the same calls later. Each is run once.
    must_sync(second);
    assert_int_equal(calls_run(f), 3);
    assert_string_not_equal(status_of(second).device_id, status_of(first).device_id);
    must_title(f, first, "n0004", "By the original");
    must_sync(first);
    assert_int_equal(calls_run(f), 4);
    assert_int_equal(status_of(first).pending_calls + status_of(second).pending_calls, 0);
    assert_int_equal(server_number(f, "select count(*) from note where title in ('Unsent one', 'Unsent two', 'By the copy', 'By the original')"), 4);
    must_sync(second);
    assert_int_equal(number(charle_client_db(second), "select count(*) from note where title = 'By the original'"), 1);
    charle_client_close(second);
    charle_client_close(first);
}

static void original_may_send_first(void **state)
{
    struct fixture *f = *state;
    struct place place = places(f);
    struct charle_client *first = export_with_calls(f, &place);
    must_title(f, first, "n0005", "Only the original");
    must_sync(first);
    assert_int_equal(calls_run(f), 3);
    struct charle_client *second = import(f, &place);
    must_title(f, second, "n0006", "Only the copy");
    must_sync(second);
    assert_int_equal(calls_run(f), 4);
    assert_int_equal(status_of(second).pending_calls, 0);
    assert_string_not_equal(status_of(second).device_id, status_of(first).device_id);
    must_sync(first);
    assert_int_equal(number(charle_client_db(first), "select count(*) from note where title = 'Only the copy'"), 1);
    charle_client_close(second);
    charle_client_close(first);
}

static void change_byte(const char *file, long at)
{
    FILE *stream = fopen(file, "r+");
    assert_non_null(stream);
    assert_int_equal(fseek(stream, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    int byte = fgetc(stream);
    fseek(stream, at, at < 0 ? SEEK_END : SEEK_SET);
    fputc(byte ^ 1, stream);
    fclose(stream);
}

static void damaged_exports_are_refused(void **state)
{
    struct fixture *f = *state;
    struct place place = places(f);
    struct charle_error err = {0};
    struct stat info;
    charle_client_close(export_with_calls(f, &place));
    const struct charle_client_options options = options_for(f, place.other);
    assert_int_equal(stat(place.export_file, &info), 0);
    const long spots[] = {3, 10, 20, 1000, (long)info.st_size / 2, -40, -1};
    for (size_t i = 0; i < sizeof(spots) / sizeof(spots[0]); i++) {
        change_byte(place.export_file, spots[i]);
        assert_int_equal(charle_replica_import(place.export_file, &options, &err), CHARLE_DATA_LOSS);
        assert_int_equal(access(place.other, F_OK), -1); // nothing was made
        change_byte(place.export_file, spots[i]);
    }
    assert_int_equal(truncate(place.export_file, info.st_size - 1), 0);
    assert_int_equal(charle_replica_import(place.export_file, &options, &err), CHARLE_DATA_LOSS);
    assert_non_null(strstr(err.text, "not complete"));
    assert_int_equal(truncate(place.export_file, 0), 0);
    assert_int_equal(charle_replica_import(place.export_file, &options, &err), CHARLE_DATA_LOSS);
    assert_int_equal(charle_replica_import("/nowhere/at.all", &options, &err), CHARLE_NOT_FOUND);
    assert_int_equal(charle_replica_import(NULL, &options, &err), CHARLE_INVALID_ARGUMENT);
}

static void existing_files_are_kept(void **state)
{
    struct fixture *f = *state;
    struct place place = places(f);
    struct charle_error err = {0};
    struct charle_client *client = export_with_calls(f, &place);
    assert_int_equal(charle_client_export(client, place.export_file, &err), CHARLE_ALREADY_EXISTS);
    assert_int_equal(charle_client_export(client, "", &err), CHARLE_INVALID_ARGUMENT);
    const struct charle_client_options options = options_for(f, f->file);
    assert_int_equal(charle_replica_import(place.export_file, &options, &err), CHARLE_ALREADY_EXISTS);
    charle_client_close(client);
}

static void encrypted_replica_stays_encrypted(void **state)
{
    struct fixture *f = *state;
    struct place place = places(f);
    struct charle_error err = {0};
    struct charle_client *client = NULL;
    const struct charle_client_key key = {.passphrase = "a long enough passphrase"}, wrong = {.passphrase = "another long passphrase"};
    struct charle_client_options options = options_for(f, f->file);
    options.key = &key;
    must(charle_client_open(&options, &client, &err), &err);
    must_sync(client);
    must_title(f, client, "n0001", "Sealed");
    must(charle_client_export(client, place.export_file, &err), &err);
    charle_client_close(client);
    char command[300];
    snprintf(command, sizeof(command), "grep -q -e 'Title 7' -e Sealed %s", place.export_file);
    assert_int_not_equal(system(command), 0); // not readable in it
    options.file = place.other;
    options.key = NULL;
    assert_int_equal(charle_replica_import(place.export_file, &options, &err), CHARLE_PERMISSION_DENIED);
    options.key = &wrong;
    assert_int_equal(charle_replica_import(place.export_file, &options, &err), CHARLE_PERMISSION_DENIED);
    assert_int_equal(access(place.other, F_OK), -1);
    options.key = &key;
    must(charle_replica_import(place.export_file, &options, &err), &err);
    must(charle_client_open(&options, &client, &err), &err);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note where title = 'Sealed'"), 1);
    must_sync(client);
    assert_int_equal(calls_run(f), 1);
    charle_client_close(client);
}

static void *keep_calling(void *ctx)
{
    struct fixture *f = ctx;
    struct charle_error err = {0};
    struct charle_client *client = open_client(f); // another program
    for (int i = 1; i < 150; i++) {
        char title[40];
        snprintf(title, sizeof(title), "Round %d", i);
        if (set_title(f, client, "n0001", title, NULL, &err) || set_title(f, client, "n0002", title, NULL, &err))
            break;
        charle_arena_reset(&f->arena);
    }
    charle_client_close(client);
    return NULL;
}

// Each call is one transaction: an export shows n0001 at most one round ahead of n0002, and as many calls as it shows rounds.
static void export_is_one_moment(void **state)
{
    struct fixture *f = *state;
    struct place place = places(f);
    struct charle_error err = {0};
    pthread_t writer;
    struct charle_client *client = open_client(f);
    must_sync(client);
    must_title(f, client, "n0001", "Round 0");
    must_title(f, client, "n0002", "Round 0");
    pthread_create(&writer, NULL, keep_calling, f);
    for (int i = 0; i < 8; i++) {
        must(charle_client_export(client, place.export_file, &err), &err);
        struct charle_client *copy = import(f, &place);
        int64_t a = number(charle_client_db(copy), "select cast(substr(title, 7) as int) from note where id = 'n0001'");
        int64_t b = number(charle_client_db(copy), "select cast(substr(title, 7) as int) from note where id = 'n0002'");
        assert_true(a == b || a == b + 1);
        assert_int_equal(number(charle_client_db(copy), "select count(*) from pragma_integrity_check where integrity_check <> 'ok'"), 0);
        charle_client_close(copy);
        must(charle_replica_wipe(place.other, &err), &err);
        assert_int_equal(unlink(place.export_file), 0);
    }
    pthread_join(writer, NULL);
    charle_client_close(client);
}

// --- attachments ----------------------------------------------------------------------------------------------------------

enum { FILE_SIZE = 700000 }; // three pieces

static void fill_bytes(uint8_t bytes[FILE_SIZE], uint8_t seed)
{
    for (size_t i = 0; i < FILE_SIZE; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 251 + seed);
}

// A path that nobody has set is no empty file.
static void nothing_to_add_is_told_so(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct charle_attachment_ref ref;
    struct charle_client *client = open_client(f);
    const struct charle_attachment_source none = {.path = NULL}, empty = {.bytes = ""};
    assert_int_equal(charle_attachment_put(client, &none, &ref, &err), CHARLE_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "a path, a descriptor or bytes"));
    must(charle_attachment_put(client, &empty, &ref, &err), &err);
    assert_int_equal(ref.size, 0);
    charle_client_close(client);
}

static struct charle_attachment_ref put_file(struct charle_client *client, uint8_t seed)
{
    struct charle_error err = {0};
    struct charle_attachment_ref ref;
    uint8_t *bytes = malloc(FILE_SIZE);
    fill_bytes(bytes, seed);
    const struct charle_attachment_source source = {.bytes = bytes, .size = FILE_SIZE, .media_type = "image/png"};
    must(charle_attachment_put(client, &source, &ref, &err), &err);
    free(bytes);
    return ref;
}

static void must_have_file(struct charle_client *client, const char *hash, uint8_t seed)
{
    struct charle_error err = {0};
    struct charle_attachment_ref ref;
    const struct charle_attachment_options here = {.is_local = true};
    uint8_t *expected = malloc(FILE_SIZE), *got = malloc(FILE_SIZE + 1);
    int fd = -1;
    must(charle_attachment_get(client, hash, &here, &ref, &fd, &err), &err);
    fill_bytes(expected, seed);
    assert_int_equal(pread(fd, got, FILE_SIZE + 1, 0), FILE_SIZE);
    assert_memory_equal(got, expected, FILE_SIZE);
    assert_string_equal(ref.media_type, "image/png");
    close(fd);
    free(expected);
    free(got);
}

static bool count_unsent(void *ctx, const struct charle_attachment_entry *entry)
{
    *(int *)ctx += entry->state == CHARLE_ATTACHMENT_UNSENT;
    return true;
}

static int unsent_files(struct charle_client *client)
{
    struct charle_error err = {0};
    int count = 0;
    must(charle_attachments(client, count_unsent, &count, &err), &err);
    return count;
}

static void attachments_are_taken_along(void **state)
{
    struct fixture *f = *state;
    struct place place = places(f);
    const struct charle_client_key key = {.passphrase = "a long enough passphrase"};
    for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
        struct charle_error err = {0};
        struct charle_client *client = NULL;
        struct charle_client_options options = options_for(f, f->file);
        options.key = is_encrypted ? &key : NULL;
        must(charle_client_open(&options, &client, &err), &err);
        struct charle_attachment_ref one = put_file(client, 1), two = put_file(client, 2);
        must(charle_client_export(client, place.export_file, &err), &err);
        charle_client_close(client);
        must(charle_replica_wipe(f->file, &err), &err);
        options.file = place.other;
        must(charle_replica_import(place.export_file, &options, &err), &err);
        must(charle_client_open(&options, &client, &err), &err);
        must_have_file(client, one.hash, 1);
        must_have_file(client, two.hash, 2);
        assert_int_equal(unsent_files(client), 2);
        charle_client_close(client);
        must(charle_replica_wipe(place.other, &err), &err);
        assert_int_equal(unlink(place.export_file), 0);
    }
}

// What programs before attachments wrote: two sizes in the header, and no store.
static void exports_of_the_first_form_are_read(void **state)
{
    struct fixture *f = *state;
    struct place place = places(f);
    struct stat info;
    struct charle_client *client = export_with_calls(f, &place);
    charle_client_close(client);
    assert_int_equal(stat(place.export_file, &info), 0);
    size_t size = (size_t)info.st_size;
    uint8_t *bytes = malloc(size);
    int fd = open(place.export_file, O_RDWR);
    assert_int_equal(read(fd, bytes, size), size);
    bytes[7] = '1';
    memmove(bytes + 24, bytes + 32, size - 32);
    crypto_generichash(bytes + size - 8 - 32, 32, bytes, size - 8 - 32, NULL, 0);
    assert_int_equal(pwrite(fd, bytes, size - 8, 0), size - 8);
    assert_int_equal(ftruncate(fd, (off_t)size - 8), 0);
    close(fd);
    free(bytes);
    client = import(f, &place);
    assert_int_equal(status_of(client).pending_calls, 2);
    charle_client_close(client);
}

// --- rescue ---------------------------------------------------------------------------------------------------------------

// Writes nonsense over `count` pages of a table, from the first-th one of them.
static void damage_table(const char *file, const char *table, int first, int count)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    int pages[64], found = 0, fd = open(file, O_WRONLY);
    char noise[8192];
    memset(noise, 0xa5, sizeof(noise));
    assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "select pageno from dbstat where name = ?1 and pagetype = 'leaf' order by path limit ?2 offset ?3", -1, &stmt, NULL), SQLITE_OK);
    sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 2, count);
    sqlite3_bind_int(stmt, 3, first);
    while (found < 64 && sqlite3_step(stmt) == SQLITE_ROW)
        pages[found++] = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    assert_true(found > 0 && fd >= 0);
    for (int i = 0; i < found; i++)
        assert_int_equal(pwrite(fd, noise, sizeof(noise), (off_t)(pages[i] - 1) * 8192), sizeof(noise));
    close(fd);
}

static struct charle_client *open_in_step(struct fixture *f)
{
    struct charle_client *client = open_client(f);
    must_sync(client);
    return client;
}

// Saves what can be saved of the fixture's own file into a new one.
static struct charle_rescue_report must_rescue(struct fixture *f, const char *to)
{
    struct charle_error err = {0};
    struct charle_rescue_report report;
    const struct charle_client_options options = options_for(f, to);
    must(charle_replica_rescue(f->file, &options, &report, &err), &err);
    return report;
}

static void unsent_calls_are_rescued(void **state)
{
    struct fixture *f = *state;
    struct place place = places(f);
    struct charle_error err = {0};
    struct charle_client *client = open_in_step(f);
    must_title(f, client, "n0009", "Sent before");
    must_sync(client);
    must_title(f, client, "n0001", "Only here");
    must_title(f, client, "n0002", "And here");
    charle_client_close(client);
    damage_table(f->file, "note", 0, 64);
    struct charle_rescue_report report = must_rescue(f, place.other);
    assert_int_equal(report.calls, 2);
    assert_int_equal(report.calls_skipped, 0);
    assert_true(report.has_identity);
    client = open_at(f, place.other);
    assert_int_equal(status_of(client).pending_calls, 2);
    must_sync(client);
    assert_int_equal(calls_run(f), 3);
    assert_int_equal(status_of(client).pending_calls, 0);
    assert_int_equal(server_number(f, "select count(*) from note where title in ('Sent before', 'Only here', 'And here')"), 3);
    assert_int_equal(number(charle_client_db(client), "select count(*) from note"), 300);
    charle_client_close(client);
    const struct charle_client_options options = options_for(f, place.other);
    assert_int_equal(charle_replica_rescue(f->file, &options, &report, &err), CHARLE_ALREADY_EXISTS);
}

// Of a damaged file pages of different ages may be read: here one of the outbox from before its last call had gone out, and its numbers from behind it.
static void calls_that_look_unsent_are_not_run_again(void **state)
{
    struct fixture *f = *state;
    struct place place = places(f);
    struct charle_client *client = open_in_step(f);
    must_title(f, client, "n0001", "Sent");
    must_sync(client);
    charle_client_close(client);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->file, &db), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    assert_int_equal(sqlite3_exec(db, "update charle_outbox set state = 1, sequence = null, hash = null, kind = null", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_changes(db), 1);
    sqlite3_close(db);
    struct charle_rescue_report report = must_rescue(f, place.other);
    assert_int_equal(report.calls, 1);
    assert_true(report.has_identity);
    client = open_at(f, place.other);
    must_sync(client);
    assert_int_equal(status_of(client).pending_calls, 0);
    assert_int_equal(calls_run(f), 1);
    charle_client_close(client);
}

// Turns bits over in what SQLite reads first of all: the definition of a table.
static void damage_definition(const char *file, const char *sql)
{
    static char content[4 << 20];
    int fd = open(file, O_RDWR), found = 0;
    ssize_t size = pread(fd, content, sizeof(content), 0);
    assert_true(fd >= 0 && size > 0 && size < (ssize_t)sizeof(content));
    for (char *at = content; (at = memmem(at, (size_t)(content + size - at), sql, strlen(sql))); at++, found++)
        assert_int_equal(pwrite(fd, "\xa5", 1, at - content), 1);
    assert_true(found > 0);
    close(fd);
}

static void unsent_calls_survive_a_damaged_definition(void **state)
{
    struct fixture *f = *state;
    struct place place = places(f);
    struct charle_error err = {0};
    struct charle_client *client = open_in_step(f);
    must_title(f, client, "n0001", "Only here");
    charle_client_close(client);
    damage_definition(f->file, "CREATE TABLE \"note\"");
    const struct charle_client_options broken = options_for(f, f->file);
    assert_int_equal(charle_client_open(&broken, &client, &err), CHARLE_DATA_LOSS);
    assert_int_equal(must_rescue(f, place.other).calls, 1);
    client = open_at(f, place.other);
    must_sync(client);
    assert_int_equal(server_number(f, "select count(*) from note where title = 'Only here'"), 1);
    charle_client_close(client);
}

static void damaged_calls_are_skipped_and_counted(void **state)
{
    struct fixture *f = *state;
    struct place place = places(f);
    struct charle_client *client = open_in_step(f);
    for (int i = 0; i < 300; i++) {
        char id[8], title[600];
        snprintf(id, sizeof(id), "n%04d", 1 + i);
        snprintf(title, sizeof(title), "%0500d", i);
        must_title(f, client, id, title);
    }
    charle_client_close(client);
    damage_table(f->file, "charle_outbox", 3, 2);
    struct charle_rescue_report report = must_rescue(f, place.other);
    assert_true(report.calls_skipped > 0 && report.calls > 100);
    assert_int_equal(report.calls + report.calls_skipped, 300);
    client = open_at(f, place.other);
    must_sync(client);
    assert_int_equal(calls_run(f), report.calls);
    charle_client_close(client);
}

static void unsent_files_are_rescued(void **state)
{
    struct fixture *f = *state;
    struct place place = places(f);
    struct charle_error err = {0};
    char store[220];
    const struct charle_client_key key = {.passphrase = "a long enough passphrase"};
    struct charle_client *client = open_in_step(f);
    struct charle_attachment_ref one = put_file(client, 1), two = put_file(client, 2);
    must_title(f, client, "n0001", "Only here");
    charle_client_close(client);
    snprintf(store, sizeof(store), "%s.files", f->file);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(store, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "update charle_piece set data = zeroblob(262144) where id = (2 << 20) + 1", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    struct charle_rescue_report report = must_rescue(f, place.other);
    assert_int_equal(report.calls, 1);
    assert_int_equal(report.files, 1);
    assert_int_equal(report.files_skipped, 1);
    client = open_at(f, place.other);
    must_have_file(client, one.hash, 1);
    const struct charle_attachment_options here = {.is_local = true};
    int fd = -1;
    assert_int_equal(charle_attachment_get(client, two.hash, &here, NULL, &fd, &err), CHARLE_NOT_FOUND);
    assert_int_equal(unsent_files(client), 1);
    charle_client_close(client);
    // Out of an encrypted one.
    must(charle_replica_encrypt(place.other, &key, &err), &err);
    char third[220];
    snprintf(third, sizeof(third), "%s/third.db", f->folder);
    const char *damaged = place.other;
    struct charle_client_options options = options_for(f, third);
    options.key = &key;
    must(charle_replica_rescue(damaged, &options, &report, &err), &err);
    assert_int_equal(report.files, 1);
    assert_int_equal(report.files_skipped, 0);
    must(charle_client_open(&options, &client, &err), &err);
    must_have_file(client, one.hash, 1);
    charle_client_close(client);
}

static void a_store_that_cannot_be_listed_to_its_end_is_told_so(void **state)
{
    struct fixture *f = *state;
    struct place place = places(f);
    struct charle_error err = {0};
    struct charle_attachment_ref ref;
    char store[220];
    struct charle_client *client = open_client(f);
    for (uint32_t i = 0; i < 250; i++) { // on several pages
        const struct charle_attachment_source source = {.bytes = &i, .size = sizeof(i), .media_type = "image/png"};
        must(charle_attachment_put(client, &source, &ref, &err), &err);
    }
    charle_client_close(client);
    snprintf(store, sizeof(store), "%s.files", f->file);
    damage_table(store, "charle_file", 1, 1);
    struct charle_rescue_report report = must_rescue(f, place.other);
    assert_true(report.files > 0 && report.files < 250);
    assert_int_equal(report.files_skipped, -1);
}

static void hopeless_files_are_told_so(void **state)
{
    struct fixture *f = *state;
    struct place place = places(f);
    struct charle_error err = {0};
    struct charle_rescue_report report;
    const struct charle_client_options options = options_for(f, place.other);
    assert_int_equal(charle_replica_rescue(f->file, &options, &report, &err), CHARLE_NOT_FOUND);
    charle_client_close(open_client(f));
    int fd = open(f->file, O_WRONLY);
    char noise[8192];
    memset(noise, 0x5a, sizeof(noise));
    assert_int_equal(pwrite(fd, noise, sizeof(noise), 0), sizeof(noise));
    close(fd);
    assert_int_equal(charle_replica_rescue(f->file, &options, &report, &err), CHARLE_DATA_LOSS);
    assert_int_equal(access(place.other, F_OK), -1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(copy_keeps_rows_and_unsent_calls),  CASE(original_may_send_first), CASE(damaged_exports_are_refused),
        CASE(existing_files_are_kept),           CASE(encrypted_replica_stays_encrypted), CASE(export_is_one_moment),
        CASE(unsent_calls_survive_a_damaged_definition),
        CASE(unsent_calls_are_rescued),          CASE(calls_that_look_unsent_are_not_run_again),
        CASE(damaged_calls_are_skipped_and_counted), CASE(hopeless_files_are_told_so),
        CASE(nothing_to_add_is_told_so),         CASE(attachments_are_taken_along),       CASE(exports_of_the_first_form_are_read), CASE(unsent_files_are_rescued),
        CASE(a_store_that_cannot_be_listed_to_its_end_is_told_so),
    };
#undef CASE
    cmocka_set_test_filter(getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
