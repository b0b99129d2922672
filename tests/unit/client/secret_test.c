// Encrypted replicas: what opens them, what lies on the disk, another key, another data key, no key at all.
#include "world.h"

#include "client/lock.h"
#include "notes.charle.h"
#include "secret.h"
#include "services/crud.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TAG "Zq7-secret-Xw9"

static const struct charle_client_key phrase = {.passphrase = "four words are better"};
static const struct charle_client_key other_phrase = {.passphrase = "another four words"};

// --- opening ------------------------------------------------------------------------------------------------------------------

static void encrypted_replica_works_like_one_in_clear(void **state)
{
    struct secret *s = *state;
    struct charle_error err = {0};
    secret_open_live(s, &phrase);
    fake_server_check(&s->server, &s->a.replica);
    assert_int_equal(secret_set_title(&s->a, "n0001", "Mine", &err), CHARLE_OK);
    world_settle(&s->a, 5000);
    world_connect(&s->a, false);
    assert_int_equal(secret_set_title(&s->a, "n0002", "Waits", &err), CHARLE_OK);
    world_close(&s->a);
    world_open(&s->a, &s->server, "secret", false);
    assert_int_equal(world_number(&s->a, "select count(*) from note where title in ('Mine', 'Waits')"), 2);
    ch_client_core_start(s->a.core);
    world_connect(&s->a, true);
    world_settle(&s->a, 5000);
    fake_server_check(&s->server, &s->a.replica);
    char check[100];
    world_text(&s->a, check, sizeof(check), "pragma integrity_check");
    assert_string_equal(check, "ok");
}

static void assert_refused(struct secret *s, const struct charle_client_key *key, enum charle_err code, const char *words)
{
    struct charle_error err = {0};
    s->a.key = key;
    enum charle_err rc = world_try_open(&s->a, &s->server, "secret", false, &err);
    if (rc != code || !strstr(err.text, words))
        fail_msg("got %s: %s", charle_err_name(rc), err.text);
}

static void wrong_key_is_refused_with_a_sentence(void **state)
{
    struct secret *s = *state;
    uint8_t bytes[32] = {1, 2, 3};
    const struct charle_client_key supplied = {.bytes = bytes}, both = {.passphrase = "four words", .bytes = bytes}, none = {0};
    secret_open_live(s, &phrase);
    world_close(&s->a);
    assert_refused(s, NULL, CHARLE_PERMISSION_DENIED, "is encrypted");
    assert_refused(s, &other_phrase, CHARLE_PERMISSION_DENIED, "this is not the passphrase");
    assert_refused(s, &supplied, CHARLE_PERMISSION_DENIED, "opened by a passphrase, not by a key");
    assert_refused(s, &both, CHARLE_INVALID_ARGUMENT, "not both");
    assert_refused(s, &none, CHARLE_INVALID_ARGUMENT, "not both");
    s->a.key = &phrase;
    world_open(&s->a, &s->server, "secret", false);
}

static void supplied_key_opens_its_replica_and_no_other(void **state)
{
    struct secret *s = *state;
    uint8_t right[32], wrong[32];
    for (int i = 0; i < 32; i++)
        right[i] = wrong[i] = (uint8_t)(i * 7);
    wrong[31] ^= 1;
    const struct charle_client_key key = {.bytes = right}, other = {.bytes = wrong};
    secret_open_live(s, &key);
    world_close(&s->a);
    assert_refused(s, &other, CHARLE_PERMISSION_DENIED, "this is not the key");
    assert_refused(s, &phrase, CHARLE_PERMISSION_DENIED, "opened by a key, not by a passphrase");
    s->a.key = &key;
    world_open(&s->a, &s->server, "secret", false);
}

static void key_and_file_must_belong_together(void **state)
{
    struct secret *s = *state;
    struct charle_error err = {0};
    char key_file[200], kept[200];
    const struct charle_client_key shorter = {.passphrase = "short"};
    s->a.key = &shorter;
    assert_int_equal(world_try_open(&s->a, &s->server, "secret", true, &err), CHARLE_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "too short"));
    s->a.key = NULL;
    world_open(&s->a, &s->server, "secret", true);
    world_close(&s->a);
    assert_refused(s, &phrase, CHARLE_FAILED_PRECONDITION, "is not encrypted");
    secret_open_live(s, &phrase);
    world_close(&s->a);
    snprintf(key_file, sizeof(key_file), "%s.key", s->a.file);
    snprintf(kept, sizeof(kept), "%s.kept", s->a.file);
    assert_int_equal(rename(key_file, kept), 0);
    assert_refused(s, &phrase, CHARLE_NOT_FOUND, "without it nobody can read");
    // A key file of another replica: the names of the data keys differ.
    struct secret other = {.server = s->server};
    other.a.key = &phrase;
    world_open(&other.a, &s->server, "secret2", true);
    world_close(&other.a);
    char other_key[200];
    snprintf(other_key, sizeof(other_key), "%s.key", other.a.file);
    assert_int_equal(rename(other_key, key_file), 0);
    assert_refused(s, &phrase, CHARLE_DATA_LOSS, "belongs to another replica");
    world_remove_files(other.a.file);
    assert_int_equal(rename(kept, key_file), 0);
    s->a.key = &phrase;
    world_open(&s->a, &s->server, "secret", false);
}

// One bit anywhere in the key file: damaged, in words, and never taken for a wrong passphrase.
static void damaged_key_file_is_told_from_a_wrong_passphrase(void **state)
{
    struct secret *s = *state;
    char key_file[200];
    uint8_t bytes[300];
    const struct charle_client_key key = {.bytes = (const uint8_t *)"0123456789abcdef0123456789abcdef"};
    secret_open_live(s, &key);
    world_close(&s->a);
    snprintf(key_file, sizeof(key_file), "%s.key", s->a.file);
    int fd = open(key_file, O_RDWR);
    ssize_t size = pread(fd, bytes, sizeof(bytes), 0);
    assert_int_equal(size, 240);
    for (int i = 0; i < 240; i++) {
        uint8_t wrong = bytes[i] ^ (uint8_t)(1 << (i % 8));
        assert_int_equal(pwrite(fd, &wrong, 1, i), 1);
        assert_refused(s, &key, CHARLE_DATA_LOSS, s->a.file);
        assert_int_equal(pwrite(fd, &bytes[i], 1, i), 1);
    }
    close(fd);
    world_open(&s->a, &s->server, "secret", false);
}

// --- what lies on the disk ----------------------------------------------------------------------------------------------------

static long count_in_file(int fd, const char *word)
{
    struct stat info;
    assert_int_equal(fstat(fd, &info), 0);
    char *bytes = malloc((size_t)info.st_size + 1);
    ssize_t size = pread(fd, bytes, (size_t)info.st_size, 0);
    long count = 0;
    for (char *at = bytes; size > 0 && (at = memmem(at, (size_t)size - (size_t)(at - bytes), word, strlen(word))); at++)
        count++;
    free(bytes);
    return count;
}

// How often the word stands in any file of the replica.
static long count_on_disk(const char *file, const char *word, int *out_files)
{
    const char *name = strrchr(file, '/') + 1;
    char folder[200], path[500];
    snprintf(folder, sizeof(folder), "%.*s", (int)(name - 1 - file), file);
    DIR *entries = opendir(folder);
    long count = 0;
    *out_files = 0;
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (strncmp(entry->d_name, name, strlen(name)) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        int fd = open(path, O_RDONLY);
        assert_true(fd >= 0);
        count += count_in_file(fd, word);
        *out_files += 1;
        close(fd);
    }
    closedir(entries);
    return count;
}

static void nothing_lies_on_the_disk_in_clear(void **state)
{
    // Long ones: three letters stand somewhere by chance once in sixteen runs.
    static const char *const words[] = {TAG, "charle_outbox", "SQLite format", "Ada Lovelace", "NoteService/Update"};
    struct secret *s = *state;
    int files = 0;
    fake_server_sql(&s->server, "update note set title = '" TAG " ' || title");
    for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
        s->a.key = is_encrypted ? &phrase : NULL;
        snprintf(s->a.file, sizeof(s->a.file), "/dev/shm/charle_%d_secret.db", (int)getpid());
        pid_t child = fork(); // killed with a full log: look before anybody opens it again
        if (child == 0) {
            struct charle_error err = {0};
            secret_open_live(s, s->a.key);
            world_connect(&s->a, false);
            for (int i = 0; i < 20; i++)
                (void)!secret_set_title(&s->a, "n0003", TAG " of mine", &err);
            raise(SIGKILL);
        }
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            long count = count_on_disk(s->a.file, words[i], &files);
            if (is_encrypted && count)
                fail_msg("%s stands %ld times on the disk", words[i], count);
            if (!is_encrypted && count == 0)
                fail_msg("the test looks in the wrong place: %s is not there in clear either", words[i]);
        }
        assert_true(files >= 4); // the file, its log, its index, the lock, the key
        world_open(&s->a, &s->server, "secret", false);
        world_close(&s->a);
        assert_true(is_encrypted ? count_on_disk(s->a.file, TAG, &files) == 0 : count_on_disk(s->a.file, TAG, &files) > 0);
    }
}

// How often the word stands in files of this process that have no name any more: SQLite's temporary files.
static long count_in_temporary_files(const char *word, int *out_files)
{
    long count = 0;
    *out_files = 0;
    for (int fd = 3; fd < 64; fd++) {
        char link[64], path[300];
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t size = readlink(link, path, sizeof(path) - 1);
        if (size <= 0)
            continue;
        path[size] = '\0';
        if (!strstr(path, "(deleted)"))
            continue;
        count += count_in_file(fd, word);
        *out_files += 1;
    }
    return count;
}

static void temporary_files_are_sealed_too(void **state)
{
    struct secret *s = *state;
    for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
        struct ch_cipher *cipher = NULL;
        struct charle_error err = {0};
        sqlite3 *db;
        uint8_t key[32] = {9};
        int files = 0;
        assert_int_equal(ch_cipher_open(key, NULL, 8192, &cipher, &err), CHARLE_OK);
        assert_int_equal(sqlite3_open_v2("", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, is_encrypted ? ch_cipher_vfs(cipher) : NULL), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "pragma temp_store = file; pragma cache_size = 10; create table t(a integer primary key, b text);"
                                          "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)"
                                          "insert into t select i, '" TAG "' || i || hex(zeroblob(50)) from n", NULL, NULL, NULL), SQLITE_OK);
        long count = count_in_temporary_files(TAG, &files);
        assert_true(files >= 1);
        assert_true(is_encrypted ? count == 0 : count > 100);
        // A sort that does not fit in memory has files of its own, open while the statement runs.
        sqlite3_stmt *stmt;
        assert_int_equal(sqlite3_exec(db, "insert into t select a + 10000, b || 'x' from t; insert into t select a + 20000, b || 'y' from t", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db, "select a, b, hex(randomblob(100)) x from t order by b desc", -1, &stmt, NULL), SQLITE_OK);
        int rows = 0, before = files;
        char last[200] = "~";
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            const char *text = (const char *)sqlite3_column_text(stmt, 1);
            assert_true(strcmp(text, last) <= 0);
            snprintf(last, sizeof(last), "%s", text);
            if (rows++ == 10) {
                count = count_in_temporary_files(TAG, &files);
                assert_true(files > before);
                assert_true(is_encrypted ? count == 0 : count > 100);
            }
        }
        assert_int_equal(rows, 20000);
        sqlite3_finalize(stmt);
        sqlite3_close(db);
        ch_cipher_close(cipher);
    }
    (void)s;
}

// --- another key --------------------------------------------------------------------------------------------------------------

static void new_passphrase_counts_at_once_and_nobody_is_disturbed(void **state)
{
    struct secret *s = *state;
    struct charle_error err = {0};
    secret_open_live(s, &phrase);
    assert_int_equal(charle_replica_rekey(s->a.file, &other_phrase, &phrase, &err), CHARLE_PERMISSION_DENIED);
    assert_int_equal(charle_replica_rekey(s->a.file, &phrase, &other_phrase, &err), CHARLE_OK);
    assert_int_equal(secret_set_title(&s->a, "n0001", "Goes on", &err), CHARLE_OK);
    world_settle(&s->a, 5000);
    world_close(&s->a);
    assert_refused(s, &phrase, CHARLE_PERMISSION_DENIED, "this is not the passphrase");
    const struct charle_client_key key = {.bytes = (const uint8_t *)"0123456789abcdef0123456789abcdef"};
    assert_int_equal(charle_replica_rekey(s->a.file, &other_phrase, &key, &err), CHARLE_OK);
    assert_refused(s, &other_phrase, CHARLE_PERMISSION_DENIED, "by a key");
    s->a.key = &key;
    world_open(&s->a, &s->server, "secret", false);
    assert_int_equal(world_number(&s->a, "select count(*) from note where title = 'Goes on'"), 1);
    assert_int_equal(charle_replica_rekey("/dev/shm/nowhere.db", &phrase, &key, &err), CHARLE_NOT_FOUND);
}

static void read_mark(const char *file, uint8_t out[16])
{
    int fd = open(file, O_RDONLY);
    assert_int_equal(pread(fd, out, 16, 0), 16);
    close(fd);
}

static void replica_in_clear_is_encrypted_with_its_waiting_calls(void **state)
{
    struct secret *s = *state;
    struct charle_error err = {0};
    uint8_t before[16], after[16];
    int files;
    fake_server_sql(&s->server, "update note set title = '" TAG " ' || title");
    secret_open_live(s, NULL);
    world_connect(&s->a, false);
    assert_int_equal(secret_set_title(&s->a, "n0002", TAG " waits", &err), CHARLE_OK);
    assert_int_equal(charle_replica_encrypt(s->a.file, &phrase, &err), CHARLE_BUSY);
    assert_non_null(strstr(err.text, "has the replica open"));
    world_close(&s->a);
    int kept = open(s->a.file, O_RDONLY); // the old file, whose name goes away
    assert_true(count_in_file(kept, TAG) > 0);
    assert_int_equal(charle_replica_encrypt(s->a.file, &phrase, &err), CHARLE_OK);
    assert_int_equal(count_on_disk(s->a.file, TAG, &files), 0);
    assert_int_equal(count_in_file(kept, TAG), 0); // overwritten
    close(kept);
    read_mark(s->a.file, before);
    assert_int_equal(charle_replica_encrypt(s->a.file, &other_phrase, &err), CHARLE_PERMISSION_DENIED);
    assert_int_equal(charle_replica_encrypt(s->a.file, &phrase, &err), CHARLE_OK); // another data key
    read_mark(s->a.file, after);
    assert_memory_not_equal(before, after, 16);
    s->a.key = &phrase;
    world_open(&s->a, &s->server, "secret", false);
    assert_int_equal(world_number(&s->a, "select count(*) from charle_outbox"), 1);
    ch_client_core_start(s->a.core);
    world_connect(&s->a, true);
    world_settle(&s->a, 5000);
    fake_server_check(&s->server, &s->a.replica);
    assert_int_equal(world_number(&s->a, "select count(*) from note where title = '%s'", TAG " waits"), 1);
}

// Killed at any moment while a file is written anew: the replica opens with the same key and has everything.
static void encryption_survives_a_kill_at_any_moment(void **state)
{
    struct secret *s = *state;
    struct charle_error err = {0};
    const struct charle_client_key key = {.bytes = (const uint8_t *)"0123456789abcdef0123456789abcdef"};
    int finished = 0, plain = 0;
    secret_open_live(s, NULL);
    world_connect(&s->a, false);
    assert_int_equal(secret_set_title(&s->a, "n0002", "Waits", &err), CHARLE_OK);
    world_close(&s->a);
    for (int round = 0; round < 60; round++) {
        struct ch_file_look look;
        pid_t child = fork();
        if (child == 0)
            _exit(charle_replica_encrypt(s->a.file, &key, NULL) ? 1 : 0);
        int status;
        usleep((useconds_t)(round * 400));
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        finished += WIFEXITED(status) && WEXITSTATUS(status) == 0;
        assert_int_equal(ch_file_look(s->a.file, NULL, &look, &err), CHARLE_OK);
        plain += look.kind == CH_FILE_PLAIN;
        s->a.key = look.kind == CH_FILE_PLAIN ? NULL : &key;
        world_open(&s->a, &s->server, "secret", false);
        assert_int_equal(world_number(&s->a, "select count(*) from note"), 30);
        assert_int_equal(world_number(&s->a, "select count(*) from charle_outbox"), 1);
        world_close(&s->a);
    }
    assert_int_equal(charle_replica_encrypt(s->a.file, &key, &err), CHARLE_OK);
    assert_true(plain > 0 && finished < 60);
    s->a.key = &key;
    world_open(&s->a, &s->server, "secret", false);
}

// --- no key at all ------------------------------------------------------------------------------------------------------------

static void wiped_replica_leaves_nothing_and_its_programs_notice(void **state)
{
    struct secret *s = *state;
    struct charle_error err = {0};
    int files = 0;
    for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
        secret_open_live(s, is_encrypted ? &phrase : NULL);
        int kept = open(s->a.file, O_RDONLY);
        assert_int_equal(charle_replica_wipe(s->a.file, &err), CHARLE_OK);
        assert_int_equal(count_on_disk(s->a.file, "x", &files), 0);
        assert_int_equal(files, 0);
        if (!is_encrypted)
            assert_int_equal(count_in_file(kept, "Title"), 0);
        close(kept);
        enum charle_err late = secret_set_title(&s->a, "n0001", "Too late", &err);
        if (!late || !strstr(err.text, "deleted while it was open"))
            fail_msg("%s: %s", charle_err_name(late), err.text);
        world_close(&s->a);
        assert_int_equal(count_on_disk(s->a.file, "x", &files), 0);
        assert_int_equal(files, 0);
        assert_int_equal(charle_replica_wipe(s->a.file, &err), CHARLE_OK); // nothing is left to wipe
    }
}

// --- several programs ---------------------------------------------------------------------------------------------------------

static void programs_share_an_encrypted_replica(void **state)
{
    struct secret *s = *state;
    enum { PROGRAMS = 4, CALLS = 60 };
    pid_t children[PROGRAMS];
    const struct charle_client_key key = {.bytes = (const uint8_t *)"0123456789abcdef0123456789abcdef"};
    secret_open_live(s, &key);
    world_close(&s->a);
    for (int p = 0; p < PROGRAMS; p++) {
        children[p] = fork();
        if (children[p] == 0) {
            struct charle_error err = {0};
            s->a.random = (uint64_t)p + 100;
            world_open(&s->a, &s->server, "secret", false);
            s->a.replica.checkpoint_pages = 20; // the log begins anew many times
            for (int i = 0; i < CALLS; i++) {
                char id[16], title[40];
                snprintf(id, sizeof(id), "n%04d", 1 + i % 30);
                snprintf(title, sizeof(title), "program %d call %d", p, i);
                if (secret_set_title(&s->a, id, title, &err))
                    _exit(1);
                if (world_number(&s->a, "select count(*) from note where title = '%s'", title) > 1)
                    _exit(2);
            }
            if (p % 2)
                raise(SIGKILL); // others find its log
            world_close(&s->a);
            _exit(0);
        }
    }
    for (int p = 0; p < PROGRAMS; p++) {
        int status;
        waitpid(children[p], &status, 0);
        assert_true(p % 2 ? WIFSIGNALED(status) : status == 0);
    }
    world_open(&s->a, &s->server, "secret", false);
    char check[100];
    world_text(&s->a, check, sizeof(check), "pragma integrity_check");
    assert_string_equal(check, "ok");
    assert_int_equal(world_number(&s->a, "select count(*) from charle_outbox"), PROGRAMS * CALLS);
    ch_client_core_start(s->a.core);
    world_connect(&s->a, true);
    world_settle(&s->a, 50000);
    assert_int_equal(s->server.calls_run, PROGRAMS * CALLS);
    fake_server_check(&s->server, &s->a.replica);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, secret_setup, secret_teardown)
    const struct CMUnitTest tests[] = {
        CASE(encrypted_replica_works_like_one_in_clear),
        CASE(wrong_key_is_refused_with_a_sentence),
        CASE(supplied_key_opens_its_replica_and_no_other),
        CASE(key_and_file_must_belong_together),
        CASE(damaged_key_file_is_told_from_a_wrong_passphrase),
        CASE(nothing_lies_on_the_disk_in_clear),
        CASE(temporary_files_are_sealed_too),
        CASE(new_passphrase_counts_at_once_and_nobody_is_disturbed),
        CASE(replica_in_clear_is_encrypted_with_its_waiting_calls),
        CASE(encryption_survives_a_kill_at_any_moment),
        CASE(wiped_replica_leaves_nothing_and_its_programs_notice),
        CASE(programs_share_an_encrypted_replica),
    };
#undef CASE
    cmocka_set_test_filter(getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
